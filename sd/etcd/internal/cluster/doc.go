// Package cluster keeps one connection to an etcd cluster, to one member at a time, and ends it
// when that member does not serve.
//
// etcd's own client spreads its requests over all members, those that are frozen or cut off
// included, begins its streams again by itself, and waits for ever for one that says nothing. Here
// every request has a deadline and wants a leader, streams are bare, and whoever finds that a
// member does not serve ends the connection for all: [Conn.Judge] decides from an error,
// [Conn.Silent] says that nothing came. The next member is tried at once.
package cluster
