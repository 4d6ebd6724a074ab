// Package sd keeps service discovery working: registration and discovery loops that outlive every
// fault of the registry below them, behind go-kit's interfaces.
//
//	schemes := sd.Schemes{"zk": zk.Open, "fixed": sd.OpenFixed} // the registries of this program
//	backend, err := schemes.Open("zk://192.0.2.1,192.0.2.2,192.0.2.3/go_servers")
//	defer backend.Close()
//
//	registrar, err := sd.NewRegistrar(backend, "192.0.2.10:8897", logger) // in a server
//	registrar.Register()
//	defer registrar.Deregister()
//
//	instancer := sd.NewInstancer(backend, logger) // in a client
//	defer instancer.Stop()
//	pool := lb.NewPool(instancer, factory, logger) // or go-kit's sd.NewEndpointer
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
// Packages zk, etcd, dns and file are Backends, and so is package mem, in memory, for unit tests; a
// list without a registry is [OpenFixed]. Package sdtest is the contract of Backend as a test
// suite. Package lb makes calls to the instances.
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
// and withdraws instances (package policy). An Instancer with [FollowPolicy] reads both, and tells
// in one [Change] the instances and the effect on each; one without makes no extra read and tells
// every name. A registry that has a policy is a [PolicyStore].
//
// # Several registries
//
// A fleet that moves from one registry to another is registered in both for a time: by a Registrar
// for each, which know nothing of each other. Its clients follow both by an Instancer for each, and
// [Join] makes one Instancer of these.
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
// that of an earlier one is forgotten when the present one holds. Live has an error only while
// something is wrong with a policy that is followed.
//
// A union of several Instancers ([Join]):
//
//	phase    it begins (1)        a part is live  none is  Stop
//	unknown  live if a part is,   -               -        -  (stopped)
//	         stale otherwise
//	live     -                    -               stale    stale
//	stale    -                    live            -        -  (stopped)
//
// (1) every part has a set, or one has and 1 s has passed since Join. Its error names the parts
// that are not live, and what is wrong with the policy of any.
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
// Withdrawn has the error [ErrUnconfirmed] until the registry has confirmed it, and keeps it if
// that takes more than 2 s. Reports of an Announce after Deregister, or after the Register that
// follows it, move nothing.
//
// # Logs
//
// A new phase is one line, and so is another error within a phase, at most every 30 s. While an
// Instancer is not live, or a Registrar is wanted and not registered, the line is repeated every 3
// minutes, with the reason. Nothing waits for a log: see [AsyncLogger].
//
// An error that has no caller is logged, and the work goes on: in the loops of an Instancer, a
// Registrar and a union, and in the writer of a snapshot file. All others are returned.
//
// # Reading the package
//
// A Backend (backend.go) is opened from the text of a target (target.go) and speaks of instances
// (instance.go, internal/instance). Fanout holds the set and tells the subscribers, each by a
// mailbox, and statevar holds the state of a loop (internal/fanout, internal/mailbox,
// internal/statevar; state.go). The loops are instancer.go (instancerstate.go), with names that are
// no instances (strangers.go), the policy (followpolicy.go) and the snapshot file (snapshot.go,
// internal/snapshot), join.go, which has Instancers instead of a Backend (internal/union), and
// registrar.go; they pause by internal/backoff, are woken by internal/signal, log by asynclog.go
// (internal/asynclog) and are measured by metrics.go (internal/instruments).
//
// The rest is for Backends: fixed.go is one; policy/gate says which entries a policy withholds;
// internal/record is the document that a registry keeps of an instance; internal/sets makes Changes
// of a set that is read as a whole. Tests wait by internal/wait.
package sd
