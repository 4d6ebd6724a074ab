// Package zkdev is a ZooKeeper server in one process and in memory. It speaks
// ZooKeeper's real wire protocol, so any client connects to it, and it serves
// two users: a developer who wants a registry without a JVM, and a test author
// who wants a registry that fails on command.
//
// It is not for production: nothing is written to disk, there is no ensemble,
// and the data ends with the process.
//
// What it promises is the behaviour of a standalone ZooKeeper 3.8, as Debian 12
// has it (3.8.0-11+deb12u2) and 3.8.4 and later are: sessions and
// their timeouts, ephemeral, sequential and container znodes, versions and
// every field of Stat, multi, ACLs (world, auth, digest, ip), one-shot and
// persistent watches, and the order in which a client sees all of these. A test
// of this package runs one script against both servers and compares the
// answers. Not served, and answered like an unknown operation: reconfig,
// multiRead, SASL, getEphemerals, getAllChildrenNumber, whoAmI, deleteContainer.
// Lists come in order, which a real server does not promise. There are no TTL
// nodes (a ZooKeeper has them off by default) and no quotas.
//
// A reader who wants to understand ZooKeeper can take the files in this order:
// jute (the encoding), proto (requests and replies), tree and txn (znodes and
// what changes them), acl, watches (who is told), session (who is alive),
// requests (an operation from request to reply), conn and server (goroutines
// and sockets), fourletter, inspect, faults.
//
// Time comes from package time alone and every wait is on a channel, so a
// Server lives happily inside a testing/synctest bubble when its clients come
// through [Server.Dial].
package zkdev
