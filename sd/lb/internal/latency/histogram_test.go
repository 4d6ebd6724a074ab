package latency

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestHistogramKnowsItsQuantile(t *testing.T) {
	var l Histogram
	if want, have := time.Minute, l.Late(time.Minute); want != have {
		t.Errorf("without observations: want %v, have %v", want, have)
	}
	for i := range 1000 {
		l.Add(time.Duration(i) * time.Millisecond)
	}
	if have := l.Late(time.Minute); have < 950*time.Millisecond || have > 1070*time.Millisecond {
		t.Errorf("of 0 to 999 ms: want 950 ms and an eighth at most, have %v", have)
	}
	for range 5 * maxCount {
		l.Add(time.Millisecond)
	}
	if have := l.Late(time.Minute); have > 2*time.Millisecond {
		t.Errorf("the past must fade: want about 1 ms, have %v", have)
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func FuzzBucket(f *testing.F) {
	for _, d := range []int64{0, 1, 7, 8, 9, 15, 16, 1e6, 1e9, 1<<62 + 1} {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, n int64) {
		d := max(time.Duration(n), 0)
		i := bucket(d)
		if i < 0 || i >= len(Histogram{}.buckets) {
			t.Fatalf("%v: bucket %d", d, i)
		}
		if end := upperEnd(i); d < 1<<61 && (end <= d || end > max(d, octaveSteps)*9/8+1) {
			t.Fatalf("%v: want an upper end within an eighth, have %v", d, end)
		}
	})
}
