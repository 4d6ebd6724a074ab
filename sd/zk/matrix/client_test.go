package matrix

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"syscall"
	"time"

	kitendpoint "github.com/go-kit/kit/endpoint"
	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"

	"example.com/daytime/endpoint"
	"example.com/daytime/sd"
	"example.com/daytime/sd/lb"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/transport"
)

const requestEvery = 20 * time.Millisecond

// A client is a backend, and the list and the balancer on top of it, as a program would have them.
type client struct {
	tap     *tap
	backend *zk.Backend
	view    *sdtest.Viewer
	pool    *lb.Pool
	call    kitendpoint.Endpoint
	tally   *tally
}

func openClient(target sd.Target, tally *tally, options ...sd.InstancerOption) (*client, error) {
	c := &client{tap: newTap(), tally: tally}
	var err error
	if c.backend, err = zk.OpenBackend(target, zk.Dial(c.tap.dial)); err != nil {
		return nil, err
	}
	c.view = sdtest.NewViewer(c.backend, options...)
	factory := tally.factory(transport.Factory())
	c.pool = lb.NewPool(c.view.Instancer, factory, kitlog.NewNopLogger())
	c.call = lb.Retry(c.pool, lb.LeastLoaded{}, lb.Idempotent(), lb.Classify(elsewhere))
	return c, nil
}

// elsewhere has a request go elsewhere when a server sends more than a line.
func elsewhere(_ int, err error) lb.Verdict {
	if errors.Is(err, transport.ErrTooLong) {
		return lb.Elsewhere
	}
	return lb.Undecided
}

// ask makes one request, which is not counted.
func (c *client) ask(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	_, err := c.call(ctx, endpoint.DaytimeRequest{})
	return err
}

func (c *client) close() {
	c.pool.Close()
	c.view.Stop()
	c.backend.Close()
}

// run makes requests until ctx is done, one every 20 ms whatever became of those before, and waits
// for the last.
func (c *client) run(ctx context.Context) { c.runEvery(ctx, requestEvery) }

func (c *client) runEvery(ctx context.Context, pause time.Duration) {
	var calls sync.WaitGroup
	defer calls.Wait()
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			calls.Go(func() {
				begun := time.Now()
				_, err := c.call(context.Background(), endpoint.DaytimeRequest{})
				c.tally.request(time.Since(begun), err)
			})
		}
	}
}

// A tally counts requests and attempts of all clients of a fleet.
type tally struct {
	mu        sync.Mutex
	latencies []time.Duration
	failed    int
	attempts  map[string]int       // failed ones, by kind
	example   error                // the first failed request
	latest    map[string]time.Time // attempt at each instance
	begun     map[string]int       // attempts, by instance
	answered  map[string]int       // the same, of those that had an answer
}

func newTally() *tally {
	return &tally{
		attempts: map[string]int{}, latest: map[string]time.Time{},
		begun: map[string]int{}, answered: map[string]int{},
	}
}

// request takes down one request.
func (t *tally) request(took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latencies = append(t.latencies, took)
	if err == nil {
		return
	}
	t.failed++
	if t.example == nil {
		t.example = err
	}
}

// factory wraps next to count failed attempts.
func (t *tally) factory(next kitsd.Factory) kitsd.Factory {
	return func(instance string) (kitendpoint.Endpoint, io.Closer, error) {
		call, closer, err := next(instance)
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context, request any) (any, error) {
			t.begin(instance)
			response, err := call(ctx, request)
			t.attempt(instance, err)
			return response, err
		}, closer, nil
	}
}

func (t *tally) begin(instance string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latest[instance] = time.Now()
	t.begun[instance]++
}

// attempted returns when the latest attempt at instance began.
func (t *tally) attempted(instance string) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.latest[instance]
}

// attempt takes down how one ended.
func (t *tally) attempt(instance string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.answered[instance]++
	} else {
		t.attempts[kind(err)]++
	}
}

// failures counts the failed attempts of a kind.
func (t *tally) failures(kind string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.attempts[kind]
}

// kind names what went wrong with an attempt.
func kind(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	case errors.Is(err, transport.ErrDeadline):
		return "deadline"
	case errors.Is(err, transport.ErrNoReply):
		return "no reply"
	case errors.Is(err, transport.ErrTooLong):
		return "too long"
	case errors.Is(err, context.Canceled): // another attempt of the call has answered
		return "cancelled"
	default:
		return err.Error()
	}
}

// A count is what a tally held.
type count struct {
	latencies []time.Duration // sorted
	failed    int
	attempts  map[string]int
	begun     map[string]int
	answered  map[string]int
	example   error
}

// swap returns the count and begins a new one.
func (t *tally) swap() count {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := count{t.latencies, t.failed, t.attempts, t.begun, t.answered, t.example}
	t.latencies, t.failed, t.attempts, t.example = nil, 0, map[string]int{}, nil
	t.begun, t.answered = map[string]int{}, map[string]int{}
	slices.Sort(c.latencies)
	return c
}

// requests counts those so far.
func (t *tally) requests() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.latencies)
}

// peek returns the count so far.
func (t *tally) peek() count {
	t.mu.Lock()
	defer t.mu.Unlock()
	return count{latencies: slices.Sorted(slices.Values(t.latencies)), failed: t.failed,
		example: t.example}
}

// quantile returns the latency below which a share q of the requests stayed.
func (c count) quantile(q float64) time.Duration {
	if len(c.latencies) == 0 {
		return 0
	}
	return c.latencies[min(int(q*float64(len(c.latencies))), len(c.latencies)-1)]
}

// failedAttempts is the sum over all kinds.
func (c count) failedAttempts() (n int) {
	for _, k := range c.attempts {
		n += k
	}
	return n
}
