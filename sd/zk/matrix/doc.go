// Package matrix breaks a daytime fleet in every way we know, on real ZooKeeper servers, and measures what its clients
// notice. It has tests only.
//
// A fleet is five daytime servers and ten clients at 50 requests a second each, registered in a directory of its own on
// an ensemble of three servers, with a chaos proxy of its own in front of each of them. A row is one fault: what was
// broken, what the clients saw while it was, how long everybody took to agree on the truth again, and the bounds on
// that. The bounds are assertions; the figures are a table, which the test logs at its end:
//
//	go test -race -v -timeout 400s ./sd/zk/matrix -matrix
//
// takes about a minute and a half. More is behind other flags:
//
//	-matrix.all     the rows that take long, or need root, strace, prlimit or ip
//	-matrix.ghosts  fifty kill -9 under a long session, a hundred reconnects, two hundred lives in one process
//	-matrix.peers   the faults of a registrant and a watcher, ours beside go-kit's sd/zk (without -race: go-zookeeper
//	                has a race of its own when it re-arms watches)
//
// # What the columns say
//
// Failed requests are those that a client gave up after all attempts; failed attempts are what a retry made good.
// Converged is the time from the event that the row names to the moment at which every client's list is the truth.
// Dials is the most that any one session made; lists is the sum over all clients. Late is by how much the machine
// woke a sleeper too late: a row that fails with a large figure there may have starved.
package matrix
