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
// Refused connections cost nothing but time, every other further attempt draws on a [Budget], and
// [Classify] lets the caller decide otherwise.
//
// # What is believed
//
// The registry is advice, the connection is truth. An instance that was lost from the list is kept
// in reserve for a while, because a registry can lose every instance at once while all of them
// serve (see [Reserve]); one that withdrew is gone at once. An instance that appears after the
// start takes its share of the calls gradually (see [SlowStart]).
//
// A pick prefers listed members that answer, then the reserve, then members that are known to fail:
// each only when the call has tried all before, or there are none. The reserve is open beside the
// listed members while these are fewer.
//
// A member has a presence in the registry and a health:
//
//	presence | listed by the registry | lost               | withdrew or closed | reserve is over
//	---------+------------------------+--------------------+--------------------+----------------
//	pending  | -                      | gone               | gone               | -
//	listed   | -                      | reserve            | gone               | -
//	reserve  | listed                 | -                  | gone               | gone
//
//	health    | answer    | failure                | refused, or third failure in a row | time
//	----------+-----------+------------------------+------------------------------------+---------------
//	answering | -         | failing                | ejected                            | -
//	failing   | answering | failing                | ejected                            | due after 1 s
//	ejected   | answering | -                      | -                                  | due, see Ejection
//	due       | answering | failing                | ejected                            | -
//
// A member that fails while it is in reserve is gone. One that is due for a probe gets one call, of
// every fourth at most, and is failing again until that is answered.
//
// What counts as a failure of the member is one of these. Any other error may be the request's own,
// or this side's, and says nothing about the member:
//
//	evidence    | the attempt                                        | counts if the member has answered
//	------------+----------------------------------------------------+----------------------------------
//	refused     | was refused                                        | or not, and ejects at once
//	unreachable | found no connection, or one that ended unanswered  | or not
//	silent      | had no answer to the end of the call               | no other call meanwhile (*)
//	outlived    | took longer than its share, and another one, on    | no other call meanwhile
//	            | another member, answered first                     |
//
// (*) And if another member has answered this very call, where several were asked. An attempt that
// was cancelled says nothing otherwise.
//
// # What a pick costs
//
// Pickers read one immutable [Snapshot]: no lock, no allocation, the same time at ten instances and
// at ten thousand (only [NewHash] looks at all of them). A pick that comes upon an instance which
// is new looks at a few more, and allocates; a probe takes a lock. A change of one instance costs
// that instance and one copied chunk, not the list.
//
// # What is not here
//
// Endpoints are not probed in the background: a call that would have been made anyway is the probe.
// A response that carries a business error counts as success, as everywhere in go-kit. There are no
// weights and no zones.
package lb
