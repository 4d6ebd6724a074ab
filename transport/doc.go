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
// then. The drain is bounded in bytes and time, and only a client that exceeds the bound is reset.
//
// # TLS
//
// Whoever can write to a registry can have clients dial any address. With [ServerTLS] and
// [ClientTLS] a server proves the name of the service before it is sent a byte. The draining close
// is the same one layer below: reply, close_notify, FIN, drain. Plain text is the default.
//
// # Errors
//
// A call fails with an [*Error], whose Unsent method says that no endpoint can have acted on it,
// and which matches one of the sentinels below by errors.Is, and its cause too. A client has an
// answer as soon as there is a complete line, and what happens to the connection after that is
// ignored.
package transport
