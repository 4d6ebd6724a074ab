// Package matrix breaks a daytime fleet that is registered in etcd in every way we know, on a real
// cluster, and measures what its clients notice. It has tests only.
//
// A fleet is five daytime servers, a process each, and ten clients at 50 requests a second each, on
// a cluster of three members, with a ttl of 2 s. A row is one fault: what was broken, what the
// clients saw while it was, how long everybody took to agree on the truth again, and the bound on
// that. The bounds are assertions; the figures are a table, which the test logs at its end:
//
//	go test -race -v -timeout 400s ./sd/etcd/matrix -matrix
//
// -matrix.peers has the faults of one registrant and one watcher, ours beside go-kit's sd/etcdv3
// and the resolver and endpoint manager of etcd's own client.
//
// A member's clock cannot be set off from the others' on one machine (libfaketime does not reach
// Go, and time namespaces do not hold the wall clock); etcd measures leases by the monotonic one.
package matrix
