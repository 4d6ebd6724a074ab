package lb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	kitendpoint "github.com/go-kit/kit/endpoint"
	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"

	"example.com/daytime/sd/lb"
)

var errBusy = errors.New("busy")

// Of three servers one hangs and one is busy. The calls are idempotent: the one that hangs costs a
// share of the time, here a third of 300 ms, and the one that is busy nothing, because the caller
// says what busy means.
func Example() {
	factory := func(instance string) (kitendpoint.Endpoint, io.Closer, error) {
		return func(ctx context.Context, request any) (any, error) {
			switch instance {
			case "192.0.2.1:8897":
				<-ctx.Done()
				return nil, ctx.Err()
			case "192.0.2.2:8897":
				return nil, errBusy
			}
			return fmt.Sprintf("%v from %s", request, instance), nil
		}, nil, nil
	}
	instances := kitsd.FixedInstancer{"192.0.2.1:8897", "192.0.2.2:8897", "192.0.2.3:8897"}
	pool := lb.NewPool(instances, factory, kitlog.NewNopLogger())
	defer pool.Close()

	call := lb.Retry(pool, lb.NewLeastLoaded(), lb.Timeout(300*time.Millisecond), lb.Idempotent(),
		lb.Classify(func(_ int, err error) lb.Verdict {
			if errors.Is(err, errBusy) {
				return lb.Elsewhere
			}
			return lb.Undecided
		}))
	for range 3 {
		fmt.Println(call(context.Background(), "an answer"))
	}
	// Output:
	// an answer from 192.0.2.3:8897 <nil>
	// an answer from 192.0.2.3:8897 <nil>
	// an answer from 192.0.2.3:8897 <nil>
}
