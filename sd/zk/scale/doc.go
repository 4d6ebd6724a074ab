// Package scale measures what discovery costs as a fleet grows, on a real ZooKeeper. It has no code of its own: the
// benchmarks compare an sd.Instancer and an lb.Pool on sd/zk with go-kit's sd/zk, and with go-zookeeper's bare calls, which
// are the floor. All contenders take their turns in each round of one run, so that a busy machine slows them alike; the
// figures are medians, and the ratios, of each round where they can be, are what to look at.
//
//	go test -bench Cold   -benchtime 20x  -run ^$ -timeout 30m ./sd/zk/scale   # until a new watcher has everybody
//	go test -bench Change -benchtime 200x -run ^$ -timeout 30m ./sd/zk/scale   # from the ack of one create or delete
//	go test -bench 'Wire|Burst|Heap|Many|FanOut' -benchtime 5x -run ^$ -timeout 30m ./sd/zk/scale
//
// One size alone: -bench Change/n=10000. Where ZooKeeper is not installed everything is skipped. A figure counted from
// the ack can be negative: ZooKeeper sends the event first. The ratios are of what is counted from the request.
//
// # What is compared
//
//   - follow: a difference, as Instancer.Follow hands it out;
//   - pool: the same, until the instance can be picked, or no more, from an lb.Pool;
//   - channel: the whole sorted set on the channel of a go-kit subscriber;
//   - kit: the same from go-kit's own sd/zk, which reads the data of every instance at every change. It sits out most
//     rounds at 10,000, where each takes seconds, and all of them at 100,000;
//   - children: ChildrenW and a new list for each change, without an instancer behind it;
//   - event: the event of a persistent watch, as it comes out of go-zookeeper.
//
// Each has a directory of its own, so that nobody pays for the changes of the others. What does not depend on the clock
// (bytes and packets of a change, watches, lists, memory, how often a subscriber is told) is also tested.
package scale
