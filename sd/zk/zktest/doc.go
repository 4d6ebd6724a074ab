// Package zktest runs real ZooKeeper servers for tests, and breaks them on demand.
//
// [Start] runs one server, [StartEnsemble] several that form a quorum. Each is a JVM of its own on
// free loopback ports, with its data in the test's temporary directory; it serves when the call
// returns, and is gone when the test ends. What happens to servers in production happens here by
// method call: Kill (SIGKILL), Stop (SIGTERM), Freeze and Thaw (SIGSTOP, SIGCONT: a long garbage
// collection, a paused VM), Restart (same data, same port), Wipe (an operator's worst day).
// [NewProxy] stands in front of any TCP server, ZooKeeper or not, and does what networks do: cut,
// reset, refuse, hang, stall one direction, cut after exactly n bytes.
//
//	func TestFollowsLeaderChange(t *testing.T) {
//		ensemble := zktest.StartEnsemble(t, 3)
//		backend := open(t, ensemble.Addrs())
//		ensemble.Leader(t).Kill(t)
//		…
//	}
//
// # What it needs
//
// Java and ZooKeeper: Debian's (apt-get install zookeeper) or the release unpacked at
// $ZOOKEEPER_HOME. Without them the test is skipped and says so; with REQUIRE_ZOOKEEPER=1 it fails
// instead, so that CI cannot pass by skipping.
//
// # Cost
//
// A server serves a third of a second after Start, an ensemble of three after one to two (two
// cores). That is why there is no server shared by a whole package: it would be state that every
// test can spoil. Tests that keep to a path of their own share one as subtests of the test that
// started it.
//
// # Ground rules
//
//   - Methods that take a testing.TB end that test on failure, so they are for its goroutine only;
//     pass the subtest's own
//     t. Addresses and counters may be read from anywhere.
//   - The tick is 500 ms: ZooKeeper grants no session timeout below 1 s or above 10 s.
//   - The JVMs die with the test binary, even on SIGKILL (Linux; elsewhere only an orderly end of
//     the test ends them).
//   - When the test fails, the last lines of each server's log are in its output.
package zktest
