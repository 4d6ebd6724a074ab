// Package matrix breaks a daytime fleet that is registered in etcd in every way we know, on a real
// cluster, and measures what its clients notice. It has tests only.
//
// A fleet is five daytime servers, a process each, and ten clients at 50 requests a second each, on
// a cluster of three members, with a ttl of 2 s. A row is one fault: what was broken, what the
// clients saw while it was, how long everybody took to agree on the truth again, and the bound on
// that. All agree once an entry that was written after the fault is on every list, and no client is
// stale. The bounds are assertions; the figures are a table, which the test logs at its end:
//
//	go test -race -v -timeout 900s ./sd/etcd/matrix -matrix
//
// -matrix.rate has the clients make fewer requests, for a machine that is busy. -matrix.peers has
// the faults of one registrant and one watcher, ours beside go-kit's sd/etcdv3 and the resolver and
// endpoint manager of etcd's own client.
//
// # A busy machine
//
// A ttl of 2 s needs a machine that wakes its processes in time: the lease is renewed every 0.7 s,
// and etcd itself elects another leader when nobody has heard of the present one for 1 s. So each
// row measures by how much a sleeper was woken too late, which is the last column. With more than
// 0.2 s the row is run again, once. If the machine was late both times its bounds become
// one minute, and requests that failed are told and not judged. All else is: that all agree in the
// end, that the dead go, that a stranger's entry stays.
//
// A member's clock cannot be set off from the others' on one machine (libfaketime does not reach
// Go, and time namespaces do not hold the wall clock); etcd measures leases by the monotonic one.
package matrix
