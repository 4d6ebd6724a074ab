// Package wire speaks ZooKeeper's protocol behind go-zookeeper's back: it checks what the library
// would believe, and sends what the library does not know.
//
// A [Guard] is the connection that the library gets. It knows the [Requests] under way, and judges
// each frame by its beginning before the library sees it (guard.go, requests.go). A [Mark] before a
// path turns a request of the library into one with a watch (marks.go), and a [MultiRead] takes the
// place of a sync (multiread.go). [Authenticate] makes credentials part of the handshake
// (credentials.go).
//
// Servers are not trusted: a frame that cannot be right closes the connection.
package wire
