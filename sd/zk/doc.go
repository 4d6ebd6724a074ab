// Package zk is the Backend of package sd on ZooKeeper.
//
//	backend, err := sd.Schemes{"zk": zk.Open}.Open("zk://192.0.2.1,192.0.2.2,192.0.2.3/go_servers")
//	if err != nil { ... } // the target is wrong: Open does not wait for ZooKeeper
//	defer backend.Close()
//
//	// A server: in the directory between Register and Deregister.
//	registrar, err := sd.NewRegistrar(backend, "192.0.2.10:8897", logger)
//	registrar.Register()
//	defer registrar.Deregister()
//
//	// A client: the set of servers, for go-kit's endpointers or for lb.NewPool.
//	instancer := sd.NewInstancer(backend, logger)
//	defer instancer.Stop()
//
// The keys of a target, such as session-timeout=4s, stand at [OpenBackend]. Tests have a ZooKeeper
// in their own process, package zkdev.
//
// # Layout
//
// The directory is a znode, /go_servers unless the target says otherwise. Each server is one
// ephemeral child whose name is its ip:port. The names alone are enough: one read lists every
// server, and a plain program that lists the children and dials the names works. The data of a
// child is a JSON document. It tells a restarted server its predecessor's node from a foreign one,
// and is in the form that Curator's x-discovery, and Prometheus by its ServerSets or Nerve
// discovery, take for an instance; it holds the attributes as well. A server whose data was changed
// writes it again. The data of the directory is the policy (see package policy). A Watch reads both
// if it is asked to, and makes no read otherwise.
//
// A node is removed or replaced in two writes: a claim, which changes its data, and the delete, in
// one transaction with the create of its successor. So a watcher tells without a read a server that
// withdraws from one whose session expired (see sd.Change.Withdrew), except where it lists for each
// change.
//
// # Attributes and policy
//
// The attributes of a list are read with one request for 500 nodes (multiRead, ZooKeeper 3.6), and
// those of a burst of joins and changes with one request; older servers are asked for one node at a
// time, 64 of them at once. A policy is seen through the watch that the directory has already: a
// change of it is one event and one read for each reader, within 100 ms of each other, and a
// directory without data costs no read. An Announce reads the policy before it creates its node, on
// each connection, and removes the node while a line withdraws it: its own, and the one that it left
// behind if it was killed. A policy is that of one directory: it ends with it.
//
// Where lists are all that tells of changes, the policy has a one-shot watch; the attributes of
// joins are read, and those of all others by audits, and in a fleet of up to 1,000 also when the
// list's Cversion says that a node was replaced.
//
// # Other layouts
//
// With layout=curator, serverset or dubbo in the target, Watch follows a directory that another
// system writes (see package layout): the instances of Curator's x-discovery, the members of a
// ServerSet, the providers of a Dubbo interface.
//
//	zk://192.0.2.1/services/time?layout=curator
//	zk://192.0.2.1/dubbo/org.example.Time/providers?layout=dubbo
//
// It is only read: Announce fails with [sd.ErrNoAnnounce], and there is no policy. The names of
// Dubbo say all, so that no child is read; the others are read as attributes are, and again when
// their data changes. A server that is disabled by its own node is left out. A child that cannot be
// read is told as its name and the reason, which an Instancer leaves out, counts and shows
// (Instancer.Strangers). Children with one address are one instance, with the attributes of the
// newest. These systems do not claim a node before they remove it: a server that leaves counts as
// lost, unless its node stays and says that it is disabled.
//
// # Security
//
// By default all is open, as ZooKeeper is: anybody who reaches a server can read along, and add and
// remove names, which clients then dial. Against that:
//
//   - tls-ca=FILE makes every connection one with TLS (1.2 or later), to servers
//     that the authorities in FILE, and no others, have certified under the name
//     that stands in the target. There is no way back to clear text.
//   - tls-cert=FILE&tls-key=FILE show a client certificate. It is an identity by
//     itself (x509 in ACLs), and needs no password anywhere.
//   - auth-file=FILE holds one line, user:password, for ZooKeeper's digest
//     scheme. It must be a regular file of this user's or root's with
//     mode 0640 or stricter. Without TLS the password crosses the network in clear text.
//     ZooKeeper compares it with nothing: a wrong one is another identity, to
//     which operations are denied.
//   - acl=creator gives created nodes, directory included, to those with the same
//     identity; everybody else can only read. All servers of a directory
//     share one identity. After a change of password, the nodes of before are
//     foreign until their sessions end.
//
// Files are read again at every dial, and changes need no restart. No request is sent before the
// credentials are accepted. A denial is [sd.ErrDenied], and tried again every 10 to 30 s.
//
// The right to create and delete a child is the parent's to give, whatever the child's ACL says. So
// an administrator should make the directory, and choose:
//
//   - world:anyone:cdrwa, the default: anybody can remove any server.
//   - registrar:cdr, world:anyone:r: servers can, so one that was broken into can
//     remove all. A restarted server takes its node over at once. The directory
//     that acl=creator makes is like this, and its ACL can be changed as well.
//   - registrar:cr, world:anyone:r: nobody can remove another's node, its successor
//     included. After a crash the restarted server is in conflict until the old
//     session has ended: clients know its address all the while, but for a gap
//     of 1 s at most then. Deregister ends the session, and the node with it.
//     While the Backend has other nodes it cannot: the state says unconfirmed and
//     denied, and the node goes with the last other one, or with Close.
//
// Whoever may write to the directory itself can empty a fleet with one line of a policy. That right
// (w) is not the one to register (c and d), so give it to operators alone:
//
//	setAcl /prod/go_servers digest:operator:…:wa,digest:server:…:cd,world:anyone:r
//
// Then registrars register and cannot steer, operators steer and cannot register, and everybody
// follows. If no entry had an a, nobody but ZooKeeper's superuser could change the ACL any more. A
// target with policy=off ignores all policy: the emergency exit.
//
// Let everybody read every node: a persistent watch tells nothing of a node that its owner may not
// read, so that it is found by audits, half a minute late; a directory in which that happens twice
// is then watched by a list for each change.
//
// A client that may delete in the directory's own parent can remove the directory while it is
// empty, and / is open by default: put it below a node of the administrator's, such as
// /prod/go_servers. And close the port for clear text, which stays open to all whom the ACLs let
// in.
//
// Not here: SASL, keys with a passphrase, revocation lists.
//
// # States of a registration
//
// The announcer holds the desired state of each node, and compares the node with it whenever the
// session or the policy changes, the node's watch fires, or an audit is due:
//
//	event                        ignore   create             keep           withhold   remove
//	Announce begins              create   -                  -              -          create
//	the policy withdraws it      -        withhold; told     (deleted)      -          -
//	the policy does not          -        -                  -              create     -
//	other attributes             -        -                  (replaced)     -          -
//	the node is there and ours   -        keep; told         -              (deleted)  (deleted)
//	a predecessor's is there     -        (replaced)         -              (deleted)  ignore; confirmed
//	the node is another's        -        ignore; returned   ignore; lost   -          ignore; confirmed
//	the node is gone             -        (created)          ignore; lost   -          ignore; confirmed
//	it must wait (see below)     -        again by then      -              -          -
//	its removal is denied        -        ignore; returned   -              again      a new session, or unconfirmed
//	any other error              -        ignore; returned   again in 1 s   again      again in 1 s
//	Announce's ctx is done       -        remove             remove         remove     -
//
// A node that the policy withdraws is withheld, and that is told, once it is deleted, also if a
// predecessor left it. A node waits until the policy is known on its connection, and for its turn
// while many register at once. Where the ACLs or a quota deny a removal a new session takes the place
// of this one, if no other node of it is to stay; otherwise the node stays as long as that one does.
//
// # Reading the package
//
// Package session holds the session with ZooKeeper, and knows nothing of what is here. Package
// internal/watch is Watch; the methods of Backend give its errors and those of session the words of
// package sd (errors.go). An announcer is Announce: it holds desired states and reconciles nodes
// with them (announcer.go, reconcile.go), as far as the policy lets it (policyreader.go), and not
// all of a fleet at once (package internal/herd); a node is written to in conditional steps only
// (node.go, takeover.go), and its data is package record's. Operators write the policy
// (policystore.go).
//
// # Scale
//
// A change is one event of about 60 bytes to each client, whatever the size of the directory, and
// no request. For 10,000 servers and 10,000 clients on five ZooKeeper servers, with the default
// session timeout of 10 s:
//
//   - Sessions: 20,000, which is 4,000 a server. Each pings every 3.3 s: 1,200
//     pings a second and server, 32 bytes both ways. Audits are a read or two in
//     30 s for each: about 1,000 a second in all.
//   - Watches: 20,000, one for each client and one for each registered node.
//   - Cold start: 0.19 MB a client, 19 bytes an instance. When one ZooKeeper server
//     dies its 2,000 clients list again, spread over a second (0.1 ms for each
//     name, and 5 s at most): 0.4 GB, or 0.8 Gbit/s from each of the other four.
//     With attributes it is 80 bytes more for each instance, and what it says.
//   - Memory: a client holds 3 MB for its connection and 0.1 KB an instance.
//   - A change: 10,000 events, 0.6 MB. A restart is three: the claim, the delete
//     and the create. So a rolling restart is 30,000 events for each client, 1.7
//     MB, and 17 GB in all. A list for each event would be 60 TB, and reading all
//     data as go-kit does 380 TB.
//
// It ends where events times clients exceed what the servers can send. One server on two shared
// cores sent about 25,000 a second while they were busy, and 80,000 while they were not
// (BenchmarkFanOut in scale; TestGrow there finds the rate of restarts at which no client is a
// second behind; measure yours). Five of the former carry 4 restarts a second, and such a rolling
// restart takes 40 minutes at least. Faster changes wait in the servers' memory, up to 2.4 GB in
// each if all 10,000 servers are lost and return at once, before what Java adds to it.
// Lists end later: at 16 MiB, about 600,000 names, here, and at jute.maxbuffer in Java tools such
// as zkCli.
//
// TestGrow with 100,000 instances, 1,000 clients and three ZooKeepers, all on two cores: a client
// costs 15 MB and 0.15 s of processor to start, and a change 66 to 92 bytes for each; ten restarts
// a second, which are 30,000 events, leave every client within 0.8 s of the truth, or 1.1 to 1.8 s
// if there are a thousand, and twenty 1.5 s. When one of the three is lost, 340 clients list again,
// 1 GB, for which two cores take 30 s. A change of the policy takes 45 ms of processor of each who
// follows it, so that the last of a hundred followers has it after 4.6 s. Of 10,000 sessions that
// begin, end or return at once, ten million events, the last client knows after 3 to 5 minutes.
// With 20,000 it ends: clients lose their own sessions, and those that list again hold up the rest.
//
// Then an operator, in this order: restarts in smaller batches; shares one Instancer among all
// consumers of a process; adds ZooKeeper observers; gives each service, zone or tenant a directory
// of its own, so that clients see only changes that concern them; and raises the session timeout,
// so that short outages do not become mass expiries.
package zk
