package telemetry

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/kit/endpoint"
	kitlog "github.com/go-kit/log"

	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd"
	"example.com/daytime/sd/lb"
	"example.com/daytime/transport"
)

// answer is a service that costs nothing.
func answer(context.Context, any) (any, error) { return "now", nil }

// startServer serves answer, and returns a client of it.
func startServer(
	b *testing.B, server transport.ServerOption, client transport.ClientOption,
) endpoint.Endpoint {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	write := func(_ context.Context, w io.Writer, response any) error {
		return transport.WriteLine(w, response.(string))
	}
	read := func(_ context.Context, r io.Reader) (any, error) { return transport.ReadLine(r) }
	s := transport.NewServer(answer, nil, write, server)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			b.Error(err)
		}
		<-served
	})
	return transport.NewClient(l.Addr().String(), nil, read, client).Endpoint()
}

// What metrics cost a server and its client, eight calls at a time: the same calls by turns with
// and without, so that both have the same load beside them. The ratio is of their rates.
func BenchmarkServing(b *testing.B) {
	const workers, calls = 8, 25
	var none *Exporter
	e := New("bench")
	kinds := []endpoint.Endpoint{
		startServer(b, none.Server(), none.Client()),
		startServer(b, e.Server(), e.Client()),
	}
	var took [2]time.Duration
	for round := 0; b.Loop(); round++ {
		for n := range kinds {
			kind := (n + round) % 2
			begin := time.Now()
			var all sync.WaitGroup
			for range workers {
				all.Go(func() {
					for range calls {
						if _, err := kinds[kind](b.Context(), nil); err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Wait()
			took[kind] += time.Since(begin)
		}
	}
	rate := func(kind int) float64 { return float64(b.N) * workers * calls / took[kind].Seconds() }
	b.ReportMetric(rate(0), "calls/s-without")
	b.ReportMetric(rate(1), "calls/s-with")
	b.ReportMetric(rate(1)/rate(0), "ratio")
}

// What a call through the pool costs with an endpoint that does nothing, with and without.
func BenchmarkCall(b *testing.B) {
	for _, measured := range []bool{false, true} {
		b.Run(fmt.Sprintf("metrics=%v", measured), func(b *testing.B) {
			b.ReportAllocs()
			call := pooled(b, measured)
			for b.Loop() {
				call(b.Context(), nil)
			}
		})
	}
}

// pooled returns a call through a pool of a fixed list.
func pooled(t testing.TB, measured bool) endpoint.Endpoint {
	t.Helper()
	var e *Exporter
	if measured {
		e = New("test")
	}
	target, err := sd.ParseTarget("fixed://192.0.2.1:1,192.0.2.2:1")
	if err != nil {
		t.Fatal(err)
	}
	backend, err := sd.OpenFixed(target)
	if err != nil {
		t.Fatal(err)
	}
	factory := func(string) (endpoint.Endpoint, io.Closer, error) { return answer, nil, nil }
	instancer := sd.NewInstancer(backend, kitlog.NewNopLogger(), e.Instancer(""))
	pool := lb.NewPool(instancer, factory, kitlog.NewNopLogger(), e.Pool())
	t.Cleanup(func() {
		pool.Close()
		instancer.Stop()
		backend.Close()
	})
	call := lb.Retry(pool, lb.NewRandom())
	shelltest.Eventually(t, func() error {
		_, err := call(t.Context(), nil)
		return err
	})
	return call
}

// A call through the pool allocates as much with metrics as without.
func TestCallAllocatesNoMore(t *testing.T) {
	allocs := map[bool]float64{}
	for _, measured := range []bool{false, true} {
		call := pooled(t, measured)
		allocs[measured] = testing.AllocsPerRun(1000, func() { call(t.Context(), nil) })
	}
	if allocs[false] != allocs[true] {
		t.Errorf("want %v, have %v", allocs[false], allocs[true])
	}
}

// What instruments cost a change in 10,000 instances, from the backend to the set, with a follower.
func BenchmarkChange(b *testing.B) {
	const size = 10_000
	names := make([]string, size)
	for n := range names {
		names[n] = fmt.Sprintf("10.0.%d.%d:8897", n>>8, n&255+1)
	}
	for _, measured := range []bool{false, true} {
		b.Run(fmt.Sprintf("metrics=%v", measured), func(b *testing.B) {
			var e *Exporter
			if measured {
				e = New("bench")
			}
			done := make(chan struct{})
			backend := driven{watch: func(emit func(sd.Change)) {
				defer close(done)
				emit(sd.Change{Reset: true, Up: names})
				b.ReportAllocs()
				for round := 0; b.Loop(); round++ {
					if round%2 == 0 {
						emit(sd.Change{Down: names[:1]})
					} else {
						emit(sd.Change{Up: names[:1]})
					}
				}
			}}
			var options []sd.InstancerOption
			if measured {
				options = append(options, e.Instancer(""))
			}
			instancer := sd.NewInstancer(backend, kitlog.NewNopLogger(), options...)
			defer instancer.Stop()
			instancer.Follow(func(sd.Change) {})
			<-done
		})
	}
}

// driven is a Backend whose Watch does what the benchmark says.
type driven struct {
	sd.Backend // nil: nothing else is called
	watch      func(emit func(sd.Change))
}

func (d driven) Watch(ctx context.Context, _ sd.Want, emit func(sd.Change)) error {
	d.watch(emit)
	<-ctx.Done()
	return ctx.Err()
}
