// Package session keeps a ZooKeeper session alive through what go-zookeeper does not survive: a
// server that accepts and never answers, one that answers pings alone, one that cuts every
// connection, an ensemble that was wiped or restored, a bad frame, a write error while credentials
// are sent again. It knows nothing of what the session is used for.
//
//	s, err := session.New(session.Config{Hosts: []string{"192.0.2.1:2181", "192.0.2.2:2181"}})
//	if err != nil { ... } // the Config is wrong: New and Start do not wait for ZooKeeper
//	s.Start(func(c *session.Conn, e zk.Event) { ... }) // the events of watches
//	defer s.Close()
//
//	conn, err := s.Wait(ctx) // and again when it is down
//	data, stat, err := conn.Get("/path")
//
// A [Session] connects in the background. [Session.Conn] gives the time on one server, a [Conn],
// and tells when it changes; [Session.Err] says why there is none. A Conn has go-zookeeper's
// requests, persistent and one-shot watches, and a read of many nodes at once. A watch lasts as
// long as the Conn on which it was armed: users arm and read again on each. There is one session
// at most. After it has expired there is another, and [Session.Owned] still knows the ids of those
// before it, since their nodes may be there for a while.
//
// # States
//
// Go-zookeeper's Conn returns to its session by itself, until a server has seen less than that
// session, because its data was wiped or restored: every server then refuses it for ever
// (https://github.com/go-zookeeper/zk/issues/36). But a plain restart must lead back to the old
// session, since giving it up would cost its ephemeral nodes. So when servers have refused it, or
// there has been no connection for long, a second client probes, and takes over only on proof:
//
//   - The probe got a session, and after that the same server refused the old client. With the new
//     session this server has seen all that was committed before, so the old one cannot be waiting
//     for it. A refusal by another server says nothing: it may be voting.
//   - The probe has held its session for a whole timeout. The old one, which no server has heard
//     from for longer than that, has expired.
//
// A Session begins as waiting, and Start and Renew count as the loss of a connection. With T the
// session timeout, and a dash where nothing changes:
//
//	event                                    connected   waiting     probing
//	session granted to the current client    -           connected   connected; the probe is closed
//	connection lost                          waiting     -           -
//	T/3 passed since, and a refusal          -           probing     -
//	3T passed since                          -           probing     -
//	session granted to the probe             -           -           -; its server is tried at once
//	proof                                    -           -           connected; next generation
//	Renew                                    waiting     -           -
//	Close                                    closed      closed      closed
//
// # Reading the package
//
// Package internal/hosts says which server is dialled next, and when. A connection is made with TLS
// and credentials (dial.go, tls.go, authfile.go); internal/wire checks every frame on it, and sends
// what go-zookeeper does not know. A handle is one client of go-zookeeper, cut into Conns
// (handle.go, conn.go, requests.go, multiread.go, ability.go). The Session holds one, or two while
// it probes (session.go, access.go).
package session
