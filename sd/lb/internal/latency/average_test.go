package latency_test

import (
	"math"
	"testing"
	"time"

	"example.com/daytime/sd/lb/internal/latency"
)

func TestAverage(t *testing.T) {
	second := int64(time.Second)
	var a latency.Average
	if have := a.Value(second); have != 0 {
		t.Errorf("unheard: want 0, have %v", have)
	}
	near := func(what string, now int64, want float64) {
		t.Helper()
		if have := a.Value(now); math.Abs(have-want) > want/100 {
			t.Errorf("%s: want %v, have %v", what, want, have)
		}
	}
	a.Observe(second, 1e6)
	near("first", second, 1e6)
	a.Observe(second, 5e6)
	near("a peak counts at once", second, 5e6)
	a.Observe(second, 1e6)
	near("what is lower counts gradually", second, 5e6)
	near("10 s later", 11*second, 5e6/math.E)
	a.Observe(11*second, 1e6)
	near("observed then", 11*second, 5e6/math.E+1e6*(1-1/math.E))
	near("ten years later", 11*second+10*365*86400*second, 0)
	a.Observe(11*second+10*365*86400*second, 3e6)
	near("heard again", 11*second+10*365*86400*second, 3e6)
}
