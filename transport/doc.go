// Package transport serves and calls go-kit endpoints over one-shot raw TCP: a client connects, may
// send a request, reads the reply, and both hang up. No connection serves two requests.
//
// [Server] and [Client] know nothing of daytime; daytime.go binds them to the daytime endpoint, and
// is the only file that knows our endpoint package. The package knows no registry either: [Factory]
// is the seam, a function from an address to an endpoint.
//
// # The order of closing
//
// The hard part of one-shot TCP is the end. A kernel that closes a socket with unread input resets
// the connection, and the reset may overtake the reply. So the server never just closes: it sends
// the reply and its FIN, drains what the client still sends until the client's own FIN, and closes
// then. The drain is bounded in bytes and time, and only a client that exceeds the bound is reset, or
// one that does not take its whole reply in time, to which a part of it must not look complete.
//
// # TLS
//
// Whoever can write to a registry can have clients dial any address. With [ServerTLS] and
// [ClientTLS] a server proves the name of the service before it is sent a byte. The draining close
// is the same one layer below: reply, close_notify, FIN, drain. Plain text is the default.
//
//	own, err := transport.TLSFiles{Cert: "daytime.pem", Key: "daytime.key"}.Server()
//	server := transport.NewDaytimeServer(set, logger, transport.ServerTLS(own))
//
//	theirs, err := transport.TLSFiles{CA: "ca.pem"}.Client()
//	factory := transport.Factory(transport.ClientTLS("daytime.example.com", theirs))
//
// # Errors
//
// A call fails with an [*Error], which matches one of the sentinels below by errors.Is, and its
// cause too. Its Unsent method tells the failures after which even a call that must not be made
// twice may go to another server: no endpoint can have acted on it. A client has an answer as soon
// as there is a complete line, and everything that happens to the connection after that is ignored.
//
// The error handler of a server, and so its log, may block: it holds up no accept, no reply, and a
// Shutdown for a second at most.
package transport
