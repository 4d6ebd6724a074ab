package load

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shelltest"
)

// A bucket is never further than 1 in 512 from its latencies.
func TestBuckets(t *testing.T) {
	for range 10000 {
		d := time.Duration(rand.Int64() >> rand.IntN(63))
		have := middleOf(bucketOf(d))
		if diff := (have - d).Abs(); diff > d/512+1 {
			t.Fatalf("want %d within 1/512, have %d", d, have)
		}
	}
	var l latencies
	for _, d := range []time.Duration{-1, 0, 1, 1<<63 - 1} {
		l.add(d) // and all of them have a bucket
	}
}

func TestQuantilesOfLatencies(t *testing.T) {
	var l latencies
	var all []time.Duration
	for range 20000 {
		d := time.Duration(rand.ExpFloat64() * float64(time.Millisecond))
		l.add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, percent := range []int{1, 50, 90, 99, 100} {
		want, have := all[len(all)*percent/100-1], l.quantile(percent)
		if diff := (have - want).Abs(); diff > want/100+1 {
			t.Errorf("p%d: want %v, have %v", percent, want, have)
		}
	}
	if want := all[len(all)-1]; l.max != want || l.quantile(100) > want {
		t.Errorf("want %v at most, have %v and %v", want, l.max, l.quantile(100))
	}
}

func TestHistogram(t *testing.T) {
	var l latencies
	for latency, n := range map[time.Duration]int{
		150 * time.Microsecond: 10, 199 * time.Microsecond: 10, 450 * time.Microsecond: 5, 4 * time.Millisecond: 1,
	} {
		for range n {
			l.add(latency)
		}
	}
	want := strings.Join([]string{
		"  ≤ 200µs        20  ########################################",
		"  ≤ 500µs         5  ##########",
		"    ≤ 1ms         0",
		"    ≤ 2ms         0",
		"    ≤ 5ms         1  ##",
		"",
	}, "\n")
	if have := l.histogram(0); want != have {
		t.Errorf("want\n%s\nhave\n%s", want, have)
	}
	shelltest.WantWidth(t, l.histogram(40), 40)
	if have := (&latencies{}).histogram(80); have != "" {
		t.Errorf("want nothing, have %q", have)
	}
}
