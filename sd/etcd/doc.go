// Package etcd is the Backend of package sd on etcd, of version 3.4 and later.
//
// # Layout
//
// The directory is a prefix, /go_servers/ unless the target says otherwise. Each server is one key
// under it, named ip:port, with a lease: it ends with the server, or is withdrawn. The value is a
// JSON document, the same as the data of a znode in sd/zk; nobody needs it to find a server. The
// directory's own key, /go_servers, is made, empty, by who registers, and stays: with it a
// directory without servers is an empty set, without it nothing is known. Its value is the policy
// (see package policy); ?policy=off follows none.
//
// # Watching
//
// A watch is armed, and then one transaction reads the keys at a revision, as the majority has them;
// the watch tells what happens from there on. Three things are not believed:
//
//   - A connection. It is to one member at a time, and whoever finds that the member does not
//     answer, or has no leader, ends it for all; the next member is tried. (etcd's own client
//     spreads its requests over all members, those that are frozen included.)
//   - Silence. The watch's stream is asked for a sign of life every third of the ttl. (etcd's
//     grpc-proxy gives none: name the members in the target.)
//   - Completeness. Every half minute an audit reads the directory, as the majority has it; what
//     the watch has missed ends it. See audit.go for what this costs.
//
// If the history that the watch needs was compacted the set is read again, as a whole.
//
// # Registering
//
// An entry is written by transactions that compare: it is created if it is absent, and replaced, in
// one step, if it is a predecessor's: a process on this host with the same address, or an earlier
// lease of this one. Anything else is a conflict, reported, waited for, and never removed. What
// happens to an entry that is held:
//
//	connection lost             it is held over the next one, and written only if its value is
//	                            another one than it should be
//	no contact for the lease    lost; if the lease lives after all nothing is written
//	lease expired or revoked    lost; registered again with another
//	key deleted                 lost; registered again with the same
//	key overwritten             lost, then a conflict until the stranger's key is gone
//	data wiped                  lost; registered again, as in an empty cluster
//
// Lost means that Announce returns and the Registrar, which calls it again, never stops doing so.
//
// The policy is read before an entry is written, and watched from there on. While it withdraws the
// instance there is no entry; the connection may come and go. If it is not for this server to read
// there is none, or the last that it could read. Every half minute an audit reads the policy and the
// entry: what the watch has not told is made good, and so are a directory's key that is missing and
// the end of a line that the host has slept through.
//
// A withdrawal changes the value first (its key leaving is true, all else stays), and then revokes
// the lease: watchers see a change and a deletion, and so tell it from an entry that has expired.
// To them the change says nothing of attributes. Whatever was still on its way for that lease comes
// to nothing.
//
// # Security
//
//   - tls-ca=FILE makes every connection one with TLS (1.2 or later), to members that the
//     authorities in FILE, and no others, have certified under the name that stands in the target.
//   - tls-cert=FILE&tls-key=FILE show a client certificate. Its common name is the user's, if etcd
//     runs with --client-cert-auth and authentication is on.
//   - auth-file=FILE holds one line, user:password. It must be a regular file of this user's or
//     root's with mode 0640 or stricter. Without TLS the password crosses the network in clear text.
//
// Files are read again for every connection, and changes need no restart. What is denied is
// reported as [sd.ErrDenied] and tried again every 10 to 30 s.
//
// Rights, with etcdctl role grant-permission: clients want read on the key /go_servers and on the
// prefix /go_servers/; servers want readwrite on the prefix and read on the key. Readwrite on the
// key itself is for those who steer; a server that has it makes the key when it is missing. Whoever
// may write under the prefix can remove every server.
//
// # Time
//
// A server that dies is gone from the directory after the granted ttl, and after as much again if
// the leader changes meanwhile: a new leader gives every lease its whole time. The cluster grants
// no ttl under one and a half election timeouts (2 s by default).
//
// A member that is cut off from the others goes on answering signs of life. It ends the watches of
// its clients once it has been without a leader for three election timeouts (3 s by default); until
// then, and the second or two of an election, their set may be old.
package etcd
