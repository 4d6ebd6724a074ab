package lb

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	kitendpoint "github.com/go-kit/kit/endpoint"
	kitlog "github.com/go-kit/log"
)

// start returns a pool with all of f listed.
func start(f fleet, options ...PoolOption) (*Pool, *registry) {
	r := new(registry)
	p := NewPool(r, f.factory, kitlog.NewNopLogger(), options...)
	r.reset(names(len(f))...)
	synctest.Wait()
	return p, r
}

// A load is what came of calls at a fixed rate.
type load struct {
	mu        sync.Mutex
	latencies []time.Duration
	errs      []error
}

// drive makes n calls, one each interval, and waits for all.
func drive(ctx context.Context, call kitendpoint.Endpoint, n int, interval time.Duration) *load {
	l := new(load)
	var calls sync.WaitGroup
	for i := range n {
		calls.Go(func() {
			start := time.Now()
			_, err := call(ctx, i)
			l.mu.Lock()
			defer l.mu.Unlock()
			l.latencies = append(l.latencies, time.Since(start))
			if err != nil {
				l.errs = append(l.errs, err)
			}
		})
		time.Sleep(interval)
	}
	calls.Wait()
	return l
}

func (l *load) wantNoFailure(t *testing.T) {
	t.Helper()
	if len(l.errs) > 0 {
		t.Errorf("want no failed call, have %d of %d, the first: %v",
			len(l.errs), len(l.latencies), l.errs[0])
	}
}
