package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	kitendpoint "github.com/go-kit/kit/endpoint"
	"go.uber.org/goleak"

	"example.com/daytime/endpoint"
	"example.com/daytime/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func Example() {
	clock := func() time.Time { return time.Date(1982, 2, 22, 17, 37, 43, 0, time.UTC) }
	set := endpoint.New(service.New("127.0.0.1:8897", service.Clock(clock)))

	var svc service.Service = set // a Set is a Service
	fmt.Println(svc.Daytime(context.Background()))
	// Output: 127.0.0.1:8897: 1982-02-22 17:37:43 +0000 UTC <nil>
}

// fake has one answer.
type fake struct {
	reply string
	err   error
}

func (f fake) Daytime(context.Context) (string, error) { return f.reply, f.err }

func TestEndpointCarriesTheServiceErrorInTheResponse(t *testing.T) {
	boom := errors.New("boom")
	set := endpoint.New(fake{err: boom})

	response, err := set.DaytimeEndpoint(t.Context(), endpoint.DaytimeRequest{})
	if err != nil {
		t.Fatalf("want no error of the endpoint, have %v", err)
	}
	if have := response.(kitendpoint.Failer).Failed(); have != boom {
		t.Errorf("want %v, have %v", boom, have)
	}
	if _, have := set.Daytime(t.Context()); have != boom {
		t.Errorf("want %v, have %v", boom, have)
	}
}

func TestSetPassesTheEndpointErrorOn(t *testing.T) {
	boom := errors.New("boom")
	set := endpoint.Set{DaytimeEndpoint: func(context.Context, any) (any, error) { return nil, boom }}
	if reply, have := set.Daytime(t.Context()); have != boom || reply != "" {
		t.Errorf("want %v, have %q, %v", boom, reply, have)
	}
}

func TestSetNamesAWrongResponse(t *testing.T) {
	set := endpoint.Set{DaytimeEndpoint: func(context.Context, any) (any, error) { return 42, nil }}
	_, err := set.Daytime(t.Context())
	if want := "endpoint: daytime: response is a int"; err == nil || err.Error() != want {
		t.Errorf("want %q, have %v", want, err)
	}
}

func TestContextReachesTheService(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := endpoint.New(waiting{}).Daytime(ctx)
	if want := context.Canceled; !errors.Is(err, want) {
		t.Errorf("want %v, have %v", want, err)
	}
}

type waiting struct{}

func (waiting) Daytime(ctx context.Context) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

func TestFirstMiddlewareIsOutermost(t *testing.T) {
	var calls []string
	called := func(name string) kitendpoint.Middleware {
		return func(next kitendpoint.Endpoint) kitendpoint.Endpoint {
			return func(ctx context.Context, request any) (any, error) {
				calls = append(calls, name)
				return next(ctx, request)
			}
		}
	}
	set := endpoint.New(fake{reply: "now"}, called("outer"), called("inner"))
	if have, err := set.Daytime(t.Context()); have != "now" || err != nil {
		t.Errorf("want now, have %q, %v", have, err)
	}
	if want, have := "outer inner", strings.Join(calls, " "); want != have {
		t.Errorf("want %q, have %q", want, have)
	}
}

func BenchmarkSet(b *testing.B) {
	set := endpoint.New(fake{reply: "now"})
	b.ReportAllocs()
	for b.Loop() {
		set.Daytime(context.Background())
	}
}
