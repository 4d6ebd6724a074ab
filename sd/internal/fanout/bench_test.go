package fanout

import (
	"fmt"
	"runtime"
	"testing"
)

// address returns the n-th of many instances.
func address(n int) string { return fmt.Sprintf("10.%d.%d.%d:8897", n>>16&255, n>>8&255, n&255) }

// filled returns a Fanout of n instances.
func filled(n int) *Fanout {
	f := New()
	names := make([]string, n)
	for k := range names {
		names[k] = address(k)
	}
	f.Apply(Change{Reset: true, Up: names}, nil)
	f.Index()
	return f
}

// sizes runs f for small, large and very large sets.
func sizes(b *testing.B, f func(b *testing.B, n int)) {
	for _, n := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			f(b, n)
		})
	}
}

// What one change costs with a follower: the same at every size.
func BenchmarkChangeFollowed(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		f := filled(n)
		r := f.NewReader(func() {})
		r.Take() // all of it
		first := []string{address(0)}
		for round := 0; b.Loop(); round++ {
			if round%2 == 0 {
				f.Apply(Change{Down: first}, nil)
			} else {
				f.Apply(Change{Up: first}, nil)
			}
			if diff := r.Take(); diff.size() != 1 {
				b.Fatalf("difference: want one instance, have %+v", diff)
			}
		}
	})
}

// The list that sorts everything: the first one, and the one after many changes.
func BenchmarkFirstList(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		f := filled(n)
		for b.Loop() {
			f.behind.addAll()
			f.Instances()
		}
	})
}

// The memory of a set beyond the strings themselves, without and with its sorted form.
func BenchmarkMemory(b *testing.B) {
	for _, listed := range []bool{false, true} {
		b.Run(fmt.Sprintf("listed=%v", listed), func(b *testing.B) {
			const n = 100_000
			names := make([]string, n)
			for k := range names {
				names[k] = address(k)
			}
			var bytes uint64
			for b.Loop() {
				before := heap()
				f := New()
				f.Apply(Change{Reset: true, Up: names}, nil)
				if listed {
					f.list()
				}
				bytes = heap() - before
				runtime.KeepAlive(f)
			}
			b.ReportMetric(float64(bytes)/n, "B/instance")
			runtime.KeepAlive(names)
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
