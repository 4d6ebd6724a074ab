package transport_test

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-kit/kit/metrics"

	"example.com/daytime/transport"
)

// An instrument is a counter, a gauge and a histogram, which keeps the largest value alone.
type instrument struct {
	mu    sync.Mutex
	value float64
}

func (i *instrument) Add(d float64)     { i.change(func(v float64) float64 { return v + d }) }
func (i *instrument) Set(to float64)    { i.change(func(float64) float64 { return to }) }
func (i *instrument) Observe(o float64) { i.change(func(v float64) float64 { return max(v, o) }) }

func (i *instrument) change(f func(float64) float64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.value = f(i.value)
}

func (i *instrument) Value() (value float64) {
	i.change(func(v float64) float64 { value = v; return v })
	return value
}

// The interfaces differ in the type of With, which nothing here calls.
type (
	gauge     struct{ *instrument }
	counter   struct{ *instrument }
	histogram struct{ *instrument }
)

func (g gauge) With(...string) metrics.Gauge         { return g }
func (c counter) With(...string) metrics.Counter     { return c }
func (h histogram) With(...string) metrics.Histogram { return h }

func wantValue(t *testing.T, name string, want, have float64) {
	t.Helper()
	if have != want {
		t.Errorf("%s: want %v, have %v", name, want, have)
	}
}

// wantSeconds checks a duration of at least 10 ms.
func wantSeconds(t *testing.T, have float64) {
	t.Helper()
	if have < 0.01 || have > bound.Seconds() {
		t.Errorf("want seconds, at least 0.01, have %v", have)
	}
}

func TestServerMetrics(t *testing.T) {
	inFlight, duration := gauge{new(instrument)}, histogram{new(instrument)}
	accepted, turnedAway := counter{new(instrument)}, counter{new(instrument)}
	handshakes, failed := counter{new(instrument)}, counter{new(instrument)}
	answer, entered, release := held()
	var calls atomic.Int64
	server := start(t, func(ctx context.Context, request any) (any, error) {
		response, _ := answer(ctx, request)
		if calls.Add(1) == 1 {
			return nil, io.ErrNoProgress
		}
		return response, nil
	}, transport.MaxConns(1), transport.ServerInstrumenting(transport.ServerMetrics{
		InFlight: inFlight, Accepted: accepted, TurnedAway: turnedAway,
		HandshakeFailed: handshakes, Failed: failed, Duration: duration,
	}))
	first := dial(t, server.addr)
	<-entered
	wantValue(t, "in flight", 1, inFlight.Value())
	wantRefused(t, dial(t, server.addr))
	time.Sleep(10 * time.Millisecond) // the least duration
	close(release)
	wantRefused(t, first)
	within(t, "the end", func() bool { return inFlight.Value() == 0 && failed.Value() == 1 })
	within(t, "a second answer", func() bool {
		have, _ := ask(server.addr, "")
		return have == "now\r\n"
	})
	if err := shutdownTimeout(server.Server, bound); err != nil {
		t.Error(err)
	}
	wantValue(t, "in flight", 0, inFlight.Value())
	wantValue(t, "failed", 1, failed.Value())
	wantValue(t, "handshakes", 0, handshakes.Value())
	if n := turnedAway.Value(); n < 1 || accepted.Value() != 2+n {
		t.Errorf("want two served and the others turned away, have %v of %v", n, accepted.Value())
	}
	wantSeconds(t, duration.Value())
}

func TestHandshakeMetrics(t *testing.T) {
	handshakes := counter{new(instrument)}
	server := start(t, say("now"), newAuthority(t).serverTLS(),
		transport.ServerInstrumenting(transport.ServerMetrics{HandshakeFailed: handshakes}))
	ask(server.addr, "timestamp")
	within(t, "the count", func() bool { return handshakes.Value() == 1 })
}

func TestClientMetrics(t *testing.T) {
	inFlight, failed := gauge{new(instrument)}, counter{new(instrument)}
	duration := histogram{new(instrument)}
	option := transport.ClientInstrumenting(transport.ClientMetrics{
		InFlight: inFlight, Failed: failed, Duration: duration,
	})
	e, entered, release := held()
	server := start(t, e)
	go func() {
		<-entered
		wantValue(t, "in flight", 1, inFlight.Value())
		time.Sleep(10 * time.Millisecond) // the least duration
		close(release)
	}()
	if have, err := call(t.Context(), server.addr, option); have != "now" || err != nil {
		t.Errorf("want now, have %q, %v", have, err)
	}
	wantValue(t, "failed", 0, failed.Value())
	wantSeconds(t, duration.Value())
	call(t.Context(), "127.0.0.1:0", option)
	wantValue(t, "failed", 1, failed.Value())
	wantValue(t, "in flight", 0, inFlight.Value())
}

// A decoder that panics ends its call for the metrics and the finalizers as well.
func TestClientMetricsOfAPanic(t *testing.T) {
	inFlight, failed := gauge{new(instrument)}, counter{new(instrument)}
	var told error
	server := start(t, say("now"))
	decode := func(context.Context, io.Reader) (any, error) { panic("by test") }
	e := transport.NewClient(server.addr, encodeText, decode,
		transport.ClientInstrumenting(transport.ClientMetrics{InFlight: inFlight, Failed: failed}),
		transport.ClientFinalizer(func(_ context.Context, _ net.Conn, err error) { told = err }),
	).Endpoint()
	func() {
		defer func() {
			if recover() != "by test" {
				t.Error("want the panic")
			}
		}()
		e(t.Context(), "timestamp")
	}()
	wantValue(t, "in flight", 0, inFlight.Value())
	wantValue(t, "failed", 1, failed.Value())
	if told == nil {
		t.Error("finalizer: want an error, have none")
	}
}
