// Package etcdtest runs real etcd members for tests, and breaks them on demand.
//
// [Start] runs one member, [StartCluster] several that vote. Each is a process of its own on free
// loopback ports, with its data in the test's temporary directory; it serves when the call returns,
// and is gone when the test ends. Kill (SIGKILL), Freeze and Thaw (SIGSTOP, SIGCONT), Restart (same
// data, same ports) and Wipe do what they say. [Cluster.Isolate] cuts a member off from the others,
// while its clients stay connected to it: members reach each other through forwarders in the test's
// process, which read in the requests of Raft from whom they come.
//
// # What it needs
//
// The program etcd, in the PATH: Debian's (apt-get install etcd-server). Without it the test is
// skipped and says so; with REQUIRE_ETCD=1 it fails instead, so that CI cannot pass by skipping.
//
// # Ground rules
//
//   - Methods that take a testing.TB end that test on failure, so they are for its goroutine only.
//   - The election timeout is 1 s, so etcd grants no lease under 2 s.
//   - Members die with the test binary, even on SIGKILL (Linux; elsewhere only an orderly end of
//     the test ends them).
//   - When the test fails, the last lines of each member's log are in its output.
package etcdtest
