// Package lb turns a changing set of instances into calls that succeed: a [Pool] keeps one endpoint
// for each instance, a [Picker] says which one the next call goes to, and [Retry] goes on to
// another one when a call fails.
//
//	pool := lb.NewPool(instancer, factory, logger)
//	defer pool.Close()
//	call := lb.Retry(pool, lb.NewLeastLoaded())
//	response, err := call(ctx, request)
//
// It speaks go-kit's interfaces on both sides. Any sd.Instancer and any sd.Factory will do; a Pool
// is an sd.Endpointer, and [Pool.Balancer] gives an lb.Balancer, so go-kit's own lb.Retry runs on
// top.
//
// # When a call is made again
//
// A call is made again only after a failure by which no server can have acted on it (the connection
// was refused or did not come about); every other error goes to the caller at once. A call that is
// [Idempotent] is also made again after a reset or a timeout, and one that takes longer than its
// share of the time is not cancelled: a second one begins beside it, and the first answer counts.
// Connections that are refused, or to which no route leads, cost nothing but time; every other
// further attempt draws on a [Budget], and [Classify] lets the caller decide otherwise.
//
// # The order of picks
//
// The registry is advice, the connection is truth. A pick takes a member of the first rank in which
// there is one that the call has not tried:
//
//	1  listed, not drained, and answering
//	2  the reserve: lost from the list, and answering until then
//	3  drained by the policy, and answering
//	4  known to fail
//
// Within a rank members of weight 0 come last, however few the others are. The reserve is there
// because a registry can lose every instance at once while all of them serve (see [Reserve]): while
// fewer than half of listed and reserve together are listed, it is open beside rank 1. An instance
// that withdrew is gone at once, and so is one that is lost and drained, whichever comes first.
// Drained members count on neither side.
//
// Within rank 1 the policy's shares say which side a call goes to. One that has failed there goes on
// to another side, but to one with a share of 0 only when nobody else is left. [Local] prefers a
// zone. A member that appears after the start, or is not drained any more, takes its part of the
// calls gradually (see [SlowStart]).
//
// # The states of a member
//
// A member has a presence in the registry and a health. Each column is an event:
//
//	presence | listed | lost    | withdrew, Close | reserve over, drained | fails | endpoint built
//	---------+--------+---------+-----------------+-----------------------+-------+---------------
//	pending  | -      | gone    | gone            | -                     | -     | listed
//	listed   | -      | reserve | gone            | -                     | -     | -
//	reserve  | listed | -       | gone            | gone                  | gone  | -
//
//	health    | answer    | failure | refused, or third failure | time
//	----------+-----------+---------+---------------------------+------------------------
//	answering | -         | failing | ejected                   | -
//	failing   | answering | failing | ejected                   | due, after the shortest
//	ejected   | answering | -       | -                         | due, see Ejection
//	due       | answering | failing | ejected                   | -
//
// A member that is due gets one call as a probe, one call in four at most being one, half as many
// for each probe without an answer yet, and is failing again until that call has an answer; one of
// weight 0, drained, or on a side without a share, only when no others are there. When all have
// failed and one answers, the others are due at once.
//
// Evidence of a failure is one of the following. Any other error may be the request's own, or this
// side's, and says nothing about the member. Nor does an attempt that was cancelled, but for the
// last row:
//
//	evidence    | the attempt                         | counts
//	------------+-------------------------------------+-------------------------------------------
//	refused     | was refused                         | always
//	unreachable | found no connection, or one that    | always, but where no route leads, or a name
//	            | ended without an answer             | is not known: from the second on, if another
//	            |                                     | member has answered between the two (1)
//	silent      | had no answer to the end of the     | if the member has answered no other call
//	            | call                                | meanwhile, and another one answers (2)
//	outlived    | took longer than its share, and     | if the member has answered no other call
//	            | than another member's answer (3)    | meanwhile
//
// (1) Until then it may be this side that reaches nobody. Three that count drop one in reserve.
// EHOSTUNREACH, which a router of the way says, always counts; EADDRNOTAVAIL of a member that has
// answered never does: this side has no port left.
//
// (2) A call of the same [Retry], or another one without, since the member's latest answer, or ever
// if it has given none; and this call, if it was asked as well and had as much time as an answer
// usually takes. A caller with less time than others, or without a Retry, has to have had as much
// as the latest answer took, and the member has to have been silent for the shortest [Ejection].
//
// (3) One that began later and is cancelled after less time than the answer took might have been as
// fast.
//
// # What a pick costs
//
// Pickers read one immutable [Snapshot]: no lock, no allocation, the same time at ten instances and
// at ten thousand, whatever their weights (only [NewHash] looks at all of them). A pick that comes
// upon an instance which is new looks at a few more, and allocates; a probe takes a lock. A change
// of one instance costs that instance and one copied chunk, not the list.
//
// Members stand in lists by side, zone and class of weight, where class c has the weights above
// half of 1<<c. A pick draws a list by the alias method, and in it a member, which it accepts with
// the chance weight/1<<c: more than 1/2, so that less than two draws are made on average. If all
// weights of a list are equal, every draw is accepted.
//
// # What is not here
//
// Endpoints are not probed in the background: a call that would have been made anyway is the probe.
// A response that carries a business error counts as success, as everywhere in go-kit.
package lb
