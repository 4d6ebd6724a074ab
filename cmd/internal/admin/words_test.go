package admin

import (
	"testing"
	"time"
)

// Times, counts and latencies as a person reads them.
func TestWords(t *testing.T) {
	now := time.Date(2026, 11, 28, 6, 30, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "06:30:00 0 s ago", 59 * time.Second: "06:29:01 59 s ago",
		time.Minute:   "06:29:00 1 min ago",
		6 * time.Hour: "00:30:00 6 h ago", 7 * time.Hour: "27 Nov 23:30 7 h ago",
		48 * time.Hour:    "26 Nov 06:30 2 d ago",
		-90 * time.Minute: "08:00:00 in 1 h", 366 * 24 * time.Hour: "27 Nov 2025 366 d ago",
		-time.Second: "06:30:01 in 1 s",
	} {
		then := now.Add(-d).In(time.FixedZone("here", 3600))
		if have := clock(then, now) + " " + ago(then, now); want != have {
			t.Errorf("%v: want %s, have %s", d, want, have)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if have := count(n); want != have {
			t.Errorf("want %s, have %s", want, have)
		}
	}
	for d, want := range map[time.Duration]string{0: "", 900: "0 µs",
		1500 * time.Microsecond: "1.50 ms",
		88 * time.Millisecond:   "88 ms", 1200 * time.Millisecond: "1.20 s"} {
		if have := brief(d); want != have {
			t.Errorf("%v: want %q, have %q", d, want, have)
		}
	}
	if !(compareInstances("192.0.2.9:1", "192.0.2.10:1") < 0 && compareInstances("x", "y") < 0) {
		t.Error("want addresses in the order of their numbers")
	}
}
