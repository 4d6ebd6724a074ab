// Package sd keeps service discovery working: registration and discovery loops
// that outlive every fault of the registry below them, behind go-kit's
// interfaces.
//
// # The one idea
//
// A registry is a [Backend], two blocking calls: Watch holds while the caller
// is interested in the set, Announce holds while an instance is registered.
// Retry, backoff, fan-out, de-duplication and idempotent stop are written once,
// here, in terms of those two calls:
//
//   - [Instancer] turns Watch into go-kit's sd.Instancer;
//   - [Registrar] turns Announce into go-kit's sd.Registrar.
//
// Package mem is a Backend in memory for unit tests, package zk is the one on
// ZooKeeper, and package sdtest is the contract of Backend as a test suite.
//
// # Instances
//
// An instance is a string: the canonical ip:port under which a server can be
// dialled (see [CheckInstance]). Strings travel unchanged through go-kit's
// sd.Event, so every go-kit component works on either side.
//
// # What a subscriber may rely on
//
// Unknown is not empty: nothing is sent before the registry has really
// answered. The last set is kept while the registry cannot be read. A slow
// subscriber delays nobody, and finds the newest set when it comes back.
// Event.Err is never used, because a go-kit cache forgets its instances over
// it; [Instancer.State] tells instead whether the set is live, stale or
// unknown.
package sd
