// Package matrix breaks a daytime fleet in every way we know, on real ZooKeeper servers, and
// measures what its clients notice. It has tests only.
//
// A fleet is five daytime servers and ten clients at 50 requests a second each, registered in a
// directory of its own on an ensemble of three servers, with a chaos proxy of its own in front of
// each of them. A row is one fault: what was broken, what the clients saw while it was, how long
// everybody took to agree on the truth again, and the bounds on that. The bounds are assertions;
// the figures are a table, which the test logs at its end:
//
//	go test -race -v -timeout 400s ./sd/zk/matrix -matrix
//
// takes about a minute and a half. More is behind other flags:
//
//	-matrix.policy  rows once more, on fleets with a drained server and a share; with -matrix.all all
//	-soak           faults and edits of the policy at random, for as long as is asked for: see below
//	-steering       a fleet of twenty that is steered with daytimecli, under load; its full size is
//	                -steering.rate 100 -steering.calls 20000 -steering.edits 200
//	-matrix.all     the rows that take long, or need root, strace, prlimit or ip
//	-matrix.ghosts  fifty kill -9 under a long session, a hundred reconnects, two hundred lives in
//	                one process
//	-matrix.peers   the faults of a registrant and a watcher, ours beside go-kit's sd/zk (without
//	                -race: go-zookeeper has a race of its own when it re-arms watches)
//
// # What the columns say
//
// Failed requests are those that a client gave up after all attempts; failed attempts are what a
// retry made good. Converged is the time from the event that the row names to the moment at which
// every client's list is the truth. Dials is the most that any one session made; lists is the sum
// over all clients.
//
// Late is by how much the machine woke a sleeper too late. A session of 2 s, and a call that has 2
// s, need one that wakes its processes in time. With more than 0.2 s waits are a minute longer, and
// what a clock decides (requests that failed, sessions that expired, lists that were short) is
// noted as not judged; that all come to the truth, and that nothing is lost that must not be, is
// wanted all the same.
//
// # Soak
//
//	go test ./sd/zk/matrix -run Soak -soak 10m -timeout 20m
//
// has twenty servers, two clients with each picker, and watchers, on an ensemble of three. Servers
// are killed, told to end, stopped and started, ZooKeepers are killed, stopped and wiped, one or
// all, and servers are drained, withdrawn and weighted; what is done, and when, follows from
// -soak.seed. No call may fail, and none may go to a server that has been drained for a second. In
// between come quiet phases, without calls: in each ZooKeeper, clients, pools and watchers must
// come to the truth within 10 s, and this process and the servers may hold no more than at first
// (soak_quiet_test.go says how much more is none). While the machine wakes sleepers more than 0.3 s
// late calls are counted and not judged.
//
// Each step is written to -soak.journal as it is done, and -soak.replay FILE does the same again.
package matrix
