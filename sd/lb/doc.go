// Package lb turns a changing set of instances into calls that succeed: a [Pool] keeps one endpoint for each instance,
// a [Picker] says which one the next call goes to, and [Retry] goes on to another one when a call fails.
//
//	pool := lb.NewPool(instancer, factory, logger)
//	defer pool.Close()
//	call := lb.Retry(pool, lb.NewLeastLoaded())
//	response, err := call(ctx, request)
//
// It speaks go-kit's interfaces on both sides. Any sd.Instancer and any sd.Factory will do; a Pool is an sd.Endpointer,
// and [Pool.Balancer] gives an lb.Balancer, so go-kit's own lb.Retry runs on top.
//
// # What is believed
//
// The registry is advice, the connection is truth. An instance that left the list is kept in reserve for a while, because
// a registry can lose every instance at once while all of them serve (see [Reserve]). An instance that is listed but
// cannot be reached is set aside for a while, at most half of the list at a time (see [Ejection]). An instance that
// appears after the start takes its share of the calls gradually (see [SlowStart]).
//
// # What a pick costs
//
// Pickers read one immutable [Snapshot]: no lock, no allocation, the same time at ten instances and at ten thousand (only
// [NewHash] looks at all of them). A pick that comes upon an instance which is failing, or new, looks at a few more, and
// allocates. A change of one instance costs that instance and one copied chunk, not the list.
//
// # What is not here
//
// Endpoints are not probed in the background: a call that would have been made anyway is the probe. A response that
// carries a business error counts as success, as everywhere in go-kit. There are no weights and no zones.
package lb
