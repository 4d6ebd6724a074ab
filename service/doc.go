// Package service is the business logic: it tells the time, and knows nothing of endpoints, sockets
// or registries.
//
// [New] makes a [Service] that answers with the address it is registered under, so that a client of
// a fleet sees which server answered, and the time in one of the layouts that [ParseFormat] knows.
// The clock is the only thing that tests replace ([Clock]); everywhere else in the project time is
// real, or belongs to testing/synctest.
//
// Further behaviour is wrapped around a Service by a [Middleware], go-kit's habit:
//
//	var svc service.Service
//	{
//		svc = service.New("127.0.0.1:8897")
//		svc = service.Logging(logger)(svc)
//	}
package service
