// Package watch is the Watch of a Backend on ZooKeeper: it follows one directory, the names of its
// children, what they say of themselves, and the policy. It writes nothing; package zk announces,
// and opens both.
//
//	d := watch.New(s, watch.Config{Parent: "/go_servers", Mode: watch.Auto})
//	s.Start(d.Event)                                   // s is a session.Session
//	err := d.Watch(ctx, sd.Want{}, func(c sd.Change) { ... })
//
// A [Directory] owns the one watch on its path (directory.go, arm.go, mode.go), and hands its
// events to a queue for each Watch under way (queue.go). A follower is one Watch on one Conn, in
// its caller's goroutine: it lists (follow.go), turns events into changes (events.go, changes.go),
// reads attributes (attributes.go) and the policy (policy.go), and compares its knowledge with
// ZooKeeper now and then (audit.go). What many do at once is spread (package herd).
//
//	event                              unarmed            armed                    listed
//	Watch begins                       armed, and lists   lists                    -
//	the list is older than another     -                  sync, and lists again    -
//	there is no directory              -                  waits for its creation   returned
//	a child comes, goes or changes     -                  queued                   a Change
//	more events than are kept          -                  lists again              lists again
//	an audit finds one missing         -                  returned, all unarmed    returned, all unarmed
//	the Conn is down, ctx is done      returned           returned                 returned
//
// Where lists are all that tells of changes, an event of the directory leads back from listed to
// armed.
package watch
