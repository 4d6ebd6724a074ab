// Package moving moves a fleet from one registry to another while its clients call it, and wants
// no request to fail and no list to lose a server that is there. It has tests only.
//
// A fleet moves in four steps, each of which can be undone. A step restarts servers, or clients, a
// few at a time, with other registries:
//
//	step  servers      clients
//	0     from         from
//	1     from and to  from
//	2     from and to  from and to
//	3     from and to  to
//	4     to           to
//
// So at any time every client reads a registry in which every server is registered. The test goes
// to step 2, back to 1, and on to 4. In each step one of the registries is killed, by turns, and
// comes back while the step is under way. A client takes the place of another when it is ready:
// when its list has arrived.
//
//	go test -v ./sd/moving
//
// moves 10 servers under 200 requests a second, from ZooKeeper to etcd and from one ZooKeeper to
// another. The long form goes back to 0, and kills both registries in each step:
//
//	go test -v -timeout 30m ./sd/moving -moving -moving.servers 200 -moving.rate 1000
package moving
