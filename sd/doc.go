// Package sd keeps service discovery working: registration and discovery loops that outlive every
// fault of the registry below them, behind go-kit's interfaces.
//
// # The one idea
//
// A registry is a [Backend], two blocking calls: Watch holds while the caller is interested in the
// set, Announce holds while an instance is registered. Retry, backoff, fan-out, de-duplication and
// idempotent stop are written once, here, in terms of those two calls:
//
//   - [Instancer] turns Watch into go-kit's sd.Instancer;
//   - [Registrar] turns Announce into go-kit's sd.Registrar.
//
// Package mem is a Backend in memory for unit tests, package zk is the one on ZooKeeper, and
// package sdtest is the contract of Backend as a test suite.
//
// # Instances
//
// An instance is a string: the canonical ip:port under which a server can be dialled (see
// [CheckInstance]). Strings travel unchanged through go-kit's sd.Event, so every go-kit component
// works on either side.
//
// # What a subscriber may rely on
//
// Unknown is not empty: nothing is sent before the registry has really answered. The last set is
// kept while the registry cannot be read. A slow subscriber delays nobody, and finds the newest set
// when it comes back. Event.Err is never used, because a go-kit cache forgets its instances over
// it; [Instancer.State] tells instead whether the set is live, stale or unknown.
//
// # Attributes and policy
//
// An instance may say more of itself than its name: weight, zone and tags, which a [Registrar]
// publishes ([Attributes]). The operator of a directory may write a policy, which drains, weighs
// and withdraws instances (package policy). Whoever asks by [FollowPolicy] reads both, and is told
// what they come to with the instances, in one [Change]; who does not ask pays nothing and sees
// every name. A registry that has a policy is a [PolicyStore].
//
// # States
//
// Both loops have a [State], which can be read (State), followed (States) and waited for (Await).
// It moves only in the ways of these tables. An Instancer, with "-" for no change:
//
//	phase    a set comes  Watch fails  Watch holds 3 s  Stop
//	unknown  live         -            -  (diagnosis)   -  (stopped)
//	live     -            stale        -                stale
//	stale    live         -            -  (no answer)   -  (stopped)
//
// It begins unknown, or stale with the set of a [Snapshot]. The error is that of the last Watch;
// what an earlier one failed with is forgotten when the present one holds. Live has an error only
// while something is wrong with a policy that is followed.
//
// A Registrar:
//
//	phase        Register     told registered  told withheld  conflict  other error  Deregister
//	withdrawn    registering                                                         -
//	registering  -            registered       withheld       conflict  -            withdrawn
//	registered   -            -                withheld       conflict  lost         withdrawn
//	lost         -            registered       withheld       conflict  -            withdrawn
//	conflict     -            registered       withheld       -         (1)          withdrawn
//	withheld     -            registered       -              conflict  registering  withdrawn
//
// (1) lost if it was registered since Register and not withheld after that, registering otherwise.
// Withdrawn has the error [ErrUnconfirmed] until the registry has confirmed it. What an Announce
// says after Deregister, or after the Register that follows it, moves nothing.
//
// # Logs
//
// A new phase is one line, and so is another error within a phase, at most every 30 s. While an
// Instancer is not live, or a Registrar is wanted and not registered, the line is repeated every 3
// minutes, with the reason. Nothing waits for a log: see [AsyncLogger].
package sd
