package lb

import (
	"math"
	"testing"
	"time"
)

func TestLatencyAverage(t *testing.T) {
	second := int64(time.Second)
	var a latencyAverage
	if have := a.value(second); have != 0 {
		t.Errorf("unheard: want 0, have %v", have)
	}
	near := func(what string, now int64, want float64) {
		t.Helper()
		if have := a.value(now); math.Abs(have-want) > want/100 {
			t.Errorf("%s: want %v, have %v", what, want, have)
		}
	}
	a.observe(second, 1e6)
	near("first", second, 1e6)
	a.observe(second, 5e6)
	near("a peak counts at once", second, 5e6)
	a.observe(second, 1e6)
	near("what is lower counts gradually", second, 5e6)
	near("10 s later", 11*second, 5e6/math.E)
	a.observe(11*second, 1e6)
	near("observed then", 11*second, 5e6/math.E+1e6*(1-1/math.E))
	near("ten years later", 11*second+10*365*86400*second, 0)
	a.observe(11*second+10*365*86400*second, 3e6)
	near("heard again", 11*second+10*365*86400*second, 3e6)
}

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
	a.latency.observe(p.now(), 1e6)
	want("the unknown first", b)
	b.begin()
	want("not the unknown twice", a)
	b.end()
	b.latency.observe(p.now(), 3.5e6)
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
