// Package scale measures what discovery costs as a fleet grows, on a real ZooKeeper. It has no code
// of its own: the benchmarks compare an sd.Instancer and an lb.Pool on sd/zk with go-kit's sd/zk,
// and with go-zookeeper's bare calls, which are the floor. All contenders take their turns in each
// round of one run, so that a busy machine slows them alike; the figures are medians, and the
// ratios, of each round where they can be, are what to look at.
//
//	# until a new watcher has everybody
//	go test -bench Cold   -benchtime 20x  -run ^$ -timeout 30m ./sd/zk/scale
//	# from the ack of one create or delete
//	go test -bench Change -benchtime 200x -run ^$ -timeout 30m ./sd/zk/scale
//	go test -bench 'Wire|Burst|Heap|Many|FanOut' -benchtime 5x -run ^$ -timeout 30m ./sd/zk/scale
//
// One size alone: -bench Change/n=10000. Where ZooKeeper is not installed everything is skipped. A
// figure counted from the ack can be negative: ZooKeeper sends the event first. The ratios are of
// what is counted from the request.
//
// TestGrow is about the ensemble: it grows a fleet with its clients, a session and an Instancer
// each, on three servers, restarts instances at growing rates until a client is a second behind the
// truth, writes a policy once a second, loses a server, and has sessions expire at once and come
// back, twice as many until all are not told in time. Without flags it is small, and wants what
// does not depend on the clock. Its full size takes half an hour, 20 GB and 20,000 descriptors:
//
//	GOGC=10 GOMEMLIMIT=18GiB go test -run Grow -v -timeout 3h ./sd/zk/scale -grow.instances 100000 \
//		-grow.clients 1000 -grow.restarts 1000 -grow.expire 10000 -grow.expire-most 40000 \
//		-grow.timeout 10s -grow.bound 5m
//
// # What is compared
//
//   - follow: a difference, as Instancer.Follow hands it out;
//   - pool: the same, until the instance can be picked, or no more, from an lb.Pool;
//   - channel: the whole sorted set on the channel of a go-kit subscriber;
//   - kit: the same from go-kit's own sd/zk, which reads the data of every instance at every
//     change. It sits out most
//     rounds at 10,000, where each takes seconds, and all of them at 100,000;
//   - children: ChildrenW and a new list for each change, without an instancer behind it;
//   - event: the event of a persistent watch, as it comes out of go-zookeeper.
//
// Each has a directory of its own, so that nobody pays for the changes of the others. What does not
// depend on the clock (bytes and packets of a change, watches, lists, memory, how often a
// subscriber is told) is also tested.
package scale
