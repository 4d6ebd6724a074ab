// Package endpoint is the service as go-kit endpoints: each method one function from a request to a
// response, which any transport can serve and any go-kit middleware can wrap.
//
// A [Set] holds the endpoints of one service and is itself a [service.Service]: around a client's
// endpoint it is a client that looks like the real thing.
package endpoint
