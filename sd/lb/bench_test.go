package lb

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	kitlb "github.com/go-kit/kit/sd/lb"
	kitlog "github.com/go-kit/log"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/policy"
)

// BenchmarkPick is the cost of a call for its member: snapshot, picker, slow start. Weighted
// members have weights of 1, 10 and 100 in turn, zoned ones three zones. go-kit's balancers beside
// it do the same part of the work; they take a lock, and its random is a data race, hence not among
// the parallel ones.
func BenchmarkPick(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		for _, name := range []string{"random", "roundrobin", "leastloaded", "ewma"} {
			picker, _ := ParsePicker(name)
			benchmarkPick(b, name, n, weighing(100), picker)
			benchmarkPick(b, name+"-weighted", n, weighing(1, 10, 100), picker)
		}
		benchmarkPick(b, "random-zoned", n, inZones("a", "b", "c"), NewRandom())
		benchmarkPick(b, "random-local", n, inZones("a", "b", "c"), Local("a", NewRandom()))
		for _, name := range []string{"gokit-random", "gokit-roundrobin"} {
			b.Run(fmt.Sprintf("%s/n=%d", name, n), func(b *testing.B) {
				p, _ := newTestPool(b, n)
				balancer := kitlb.NewRandom(p, 1)
				if name == "gokit-roundrobin" {
					balancer = kitlb.NewRoundRobin(p)
				}
				b.ReportAllocs()
				for b.Loop() {
					balancer.Endpoint()
				}
			})
		}
	}
	benchmarkPick(b, "hash", 100, weighing(100), NewHash())
	benchmarkPick(b, "hash-weighted", 100, weighing(1, 10, 100), NewHash())
}

func benchmarkPick(
	b *testing.B, name string, n int, of func(i int) policy.Effective, picker Picker,
) {
	b.Run(fmt.Sprintf("%s/n=%d", name, n), func(b *testing.B) {
		p := newPoolOf(b, n, of)
		answer(p)
		ctx := WithKey(context.Background(), "user-7")
		b.ReportAllocs()
		for b.Loop() {
			s := p.snapshot.Load()
			p.choose(ctx, picker, s.side(ctx, picker, nil), nil)
		}
	})
}

// answer gives every member a latency, as it has in service.
func answer(p *Pool) {
	s := p.snapshot.Load()
	for i := range s.Len() {
		s.At(i).latency.Observe(p.now(), 1e6)
	}
}

func BenchmarkPickParallel(b *testing.B) {
	p, _ := newTestPool(b, 10)
	answer(p)
	ctx := context.Background()
	for _, name := range []string{"random", "roundrobin", "leastloaded", "ewma"} {
		picker, _ := ParsePicker(name)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					p.choose(ctx, picker, p.snapshot.Load(), nil)
				}
			})
		})
	}
	b.Run("counter", func(b *testing.B) { // what taking turns costs by itself
		var turns atomic.Uint64
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				turns.Add(1)
			}
		})
	})
	gokit := kitlb.NewRoundRobin(p)
	b.Run("gokit-roundrobin", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				gokit.Endpoint()
			}
		})
	})
}

// BenchmarkChange is one instance leaving or coming back, from Follow's call until it can be picked
// or no more. The flat one is what copying a slice would cost instead, without anything else.
func BenchmarkChange(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		p, r := newTestPool(b, n)
		name := names(n)[n/2]
		b.Run(fmt.Sprintf("chunked/n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%2 == 0 {
					r.down(name)
				} else {
					r.up(name)
				}
				awaitLen(p, n-1+i%2)
			}
			r.up(name)
			awaitLen(p, n)
		})
		flat := make([]*Member, n)
		b.Run(fmt.Sprintf("flat/n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				flat = slices.Clone(flat)
			}
		})
	}
}

// awaitLen returns when n members can be picked, without the millisecond that await sleeps.
func awaitLen(p *Pool, n int) {
	for s := p.snapshot.Load(); s.Len() != n; s = p.snapshot.Load() {
		<-s.superseded
	}
}

// BenchmarkCold is the first set of n instances, until all can be picked.
func BenchmarkCold(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		instances := names(n)
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := new(registry)
				p := NewPool(r, nop, kitlog.NewNopLogger())
				r.reset(instances...)
				awaitLen(p, n)
				b.StopTimer()
				p.Close()
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/instance")
		})
	}
}

// BenchmarkCall is a call through Retry whose endpoint answers at once, with and without instruments,
// whose own cost is not counted.
func BenchmarkCall(b *testing.B) {
	kept := Instruments(Metrics{Attempts: silentCounter{}, CallDuration: silentHistogram{}})
	for name, options := range map[string][]PoolOption{"plain": nil, "metrics": {kept}} {
		b.Run(name, func(b *testing.B) {
			r := new(registry)
			p := NewPool(r, nop, kitlog.NewNopLogger(), options...)
			defer p.Close()
			r.reset(names(10)...)
			wait.True(b, "the members wanted", func() bool { return p.snapshot.Load().Len() == 10 })
			call := Retry(p, NewRandom())
			b.ReportAllocs()
			for b.Loop() {
				call(context.Background(), nil)
			}
		})
	}
}
