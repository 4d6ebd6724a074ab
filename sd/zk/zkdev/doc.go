// Package zkdev is a ZooKeeper server in one process and in memory. It speaks ZooKeeper's real wire
// protocol, so any client connects to it, and it serves two users: a developer who wants a registry
// without a JVM, and a test author who wants a registry that fails on command.
//
// It is not for production: nothing is written to disk, there is no ensemble, and the data ends
// with the [Server] (it outlives [Server.Stop] and [Server.Restart]). A server that is made later
// begins with a higher zxid, so a client of an earlier one at the same address connects again, and
// is told that its session is gone.
//
// It promises the behaviour of a standalone ZooKeeper 3.8, as Debian 12 has it (3.8.0-11+deb12u2)
// and 3.8.4 and later are, with TTL nodes switched on (zookeeper.extendedTypesEnabled): sessions
// and their timeouts; ephemeral, sequential, container and TTL znodes; versions and every field of
// Stat; multi and multiRead; ACLs (world, auth, digest, ip); one-shot and persistent watches, of
// which a connection has one a path; nulls where the protocol has them; and the order in which a
// client sees all of these. Tests of this package make the same requests of both servers, written
// and random ones, and compare the answers. Other clients' own tests pass as well: go-zookeeper's,
// all but those that need an ensemble or reconfiguration, run in CI.
//
// Features that are not here are refused as a ZooKeeper refuses them by default: reconfiguration
// (-123) and SASL (an answer without a token) without the end of the connection, deleteContainer
// (-8), and operations that do not exist (-6, and the connection is closed). Quotas are neither
// counted nor enforced. The four letter words conf, cons, envi, isro, mntr, ruok, srvr, stat and
// wchs are answered, and the others are not in the whitelist. Lists come in order, which a
// ZooKeeper does not promise.
//
// # Sessions
//
// A session is connected or away, and ends by being closed or expired. Its ephemerals go with it,
// in one change.
//
//	state     | request, ping | handshake with its number  | connection ends | timeout  | close
//	----------+---------------+----------------------------+-----------------+----------+--------
//	(none)    |               | told that there is none    |                 |          |
//	connected | timeout anew  | the old connection is cut, | away; watches   | expired, | closed,
//	          |               | the new one connected      | are gone        | and cut  | and cut
//	away      |               | connected; timeout anew    |                 | expired  |
//
// # Faults
//
// What a test can ask for, and where:
//
//	no connection, or no answer | Refuse, Hang, Disconnect, PingsOnly, Freeze and Thaw, Slow
//	an operation is refused     | FailNext, FailAll, LackOps, LimitOps, CloseOn
//	a reply is lost or wrong    | DropReply, CutAfterReading, CutAfterWriting, BadLengthNext
//	a session ends              | Expire, Replace, HoldEphemerals and ReleaseEphemerals
//	data are old or lost        | Lag and CatchUp, ForgetWatches, Wipe
//	a restart, with its data    | Stop and Restart
//
// # Reading
//
// A reader who wants to understand ZooKeeper can take the files in this order: jute (the encoding),
// proto (requests and replies), tree, txn and containers (znodes and what changes them), acl,
// watches (who is told), session (who is alive), requests, queries, watchops and writes (an
// operation from request to reply), conn, server and lifecycle (goroutines and sockets),
// fourletter, inspect, faults and disrupt.
//
// Time comes from package time alone and every wait is on a channel, so a Server works inside a
// testing/synctest bubble when its clients come through [Server.Dial].
package zkdev
