package lb

import (
	"math"
	"testing"
)

func TestRoughLog2(t *testing.T) {
	for n := int64(1); n < 10_000; n++ {
		want, have := math.Log2(float64(n)), roughLog2(float64(n))
		if have > want+1e-9 || have < want-0.09 {
			t.Fatalf("%d: want %v, have %v", n, want, have)
		}
	}
}

func TestEWMAPrefers(t *testing.T) {
	p, _ := newTestPool(t, 2)
	s := p.snapshot.Load()
	a, b := s.At(0), s.At(1)
	want := func(what string, want *Member) {
		t.Helper()
		for range 100 {
			if have := NewEWMA().Pick(t.Context(), s, nil); want != have {
				t.Fatalf("%s: want %s, have %s", what, want.Instance(), have.Instance())
			}
		}
	}
	a.latency.Observe(p.now(), 1e6)
	want("the unknown first", b)
	b.begin()
	want("not the unknown twice", a)
	b.end()
	b.latency.Observe(p.now(), 3.5e6)
	want("the faster", a)
	a.begin()
	a.begin()
	want("the faster, in spite of two calls", a)
	a.begin()
	want("three calls are too many", b)
	for range 3 {
		a.end()
	}
}
