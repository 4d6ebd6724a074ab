package endpoint

import (
	"context"
	"fmt"

	kitendpoint "github.com/go-kit/kit/endpoint"

	"example.com/daytime/service"
)

// A Set collects the endpoints of the daytime service. On the server it comes from New; a client
// fills in an endpoint that asks a server, or a balancer's that asks some server.
type Set struct {
	DaytimeEndpoint kitendpoint.Endpoint
}

var (
	_ service.Service    = Set{}
	_ kitendpoint.Failer = DaytimeResponse{}
)

// New returns the endpoints of svc, each wrapped in the middlewares, the first of them outermost.
func New(svc service.Service, middlewares ...kitendpoint.Middleware) Set {
	daytime := MakeDaytimeEndpoint(svc)
	for i := len(middlewares) - 1; i >= 0; i-- {
		daytime = middlewares[i](daytime)
	}
	return Set{DaytimeEndpoint: daytime}
}

// Daytime asks the daytime endpoint. The error is the endpoint's or, failing that, the service's
// own.
func (s Set) Daytime(ctx context.Context) (string, error) {
	response, err := s.DaytimeEndpoint(ctx, DaytimeRequest{})
	if err != nil {
		return "", err
	}
	daytime, ok := response.(DaytimeResponse)
	if !ok {
		return "", fmt.Errorf("endpoint: daytime: response is a %T", response)
	}
	return daytime.Reply, daytime.Err
}

// MakeDaytimeEndpoint makes an endpoint of svc. An error of the service travels in the response: to
// a middleware such as a circuit breaker the endpoint has worked.
func MakeDaytimeEndpoint(svc service.Service) kitendpoint.Endpoint {
	return func(ctx context.Context, _ any) (any, error) {
		reply, err := svc.Daytime(ctx)
		return DaytimeResponse{Reply: reply, Err: err}, nil
	}
}

// A DaytimeRequest asks for the time. It is empty: the service looks at nothing that a client
// sends.
type DaytimeRequest struct{}

// A DaytimeResponse is one line without its line end, or the service's error.
type DaytimeResponse struct {
	Reply string
	Err   error
}

// Failed makes a DaytimeResponse a kitendpoint.Failer.
func (r DaytimeResponse) Failed() error { return r.Err }
