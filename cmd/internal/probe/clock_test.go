package probe

import (
	"testing"
	"time"

	"example.com/daytime/service"
)

// A time is read in every format of ours, and only where its zone has one meaning.
func TestParseTime(t *testing.T) {
	now := time.Now().UTC()
	for _, name := range service.FormatNames() {
		layout, err := service.ParseFormat(name)
		if err != nil {
			t.Fatal(err)
		}
		read, unit, ok := parseTime(now.Format(layout))
		if diff := now.Sub(read); !ok || diff < 0 || diff >= unit {
			t.Errorf("%s: want %v cut off to %v, have %v, %v", name, now, unit, read, ok)
		}
		elsewhere := now.In(time.FixedZone("EST", -5*3600)).Format(layout)
		if read, unit, ok := parseTime(elsewhere); ok && now.Sub(read) >= unit {
			t.Errorf("%s: want %q right or not understood, have %v", name, elsewhere, read)
		}
	}
	if _, _, ok := parseTime("noon"); ok {
		t.Error("want noon not understood")
	}
}

// The offset that is told is never further from the truth than its bound.
func TestOffsetIsWithinItsBound(t *testing.T) {
	begin := time.Date(2026, 2, 22, 12, 0, 0, 123456789, time.UTC)
	for _, wrong := range []time.Duration{0, time.Hour, -300 * time.Millisecond} {
		for _, at := range []time.Duration{0, 5 * time.Millisecond,
			10 * time.Millisecond} { // of 10 ms
			for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05.999999 -0700 MST"} {
				reply := "192.0.2.1:1: " + begin.Add(at+wrong).Format(layout)
				c := clockOf(reply, begin, 10*time.Millisecond)
				if diff := (c.Offset - wrong).Abs(); !c.Known || diff > c.Bound {
					t.Errorf("%q: want %v within %v, have %v", reply, wrong, c.Bound, c.Offset)
				}
			}
		}
	}
}

func TestRound(t *testing.T) {
	for have, want := range map[time.Duration]string{
		123456789 * time.Microsecond: "2m3s",
		1234567 * time.Microsecond:   "1.23s",
		12345 * time.Microsecond:     "12.3ms",
		1234 * time.Microsecond:      "1.23ms",
		1234 * time.Nanosecond:       "1µs",
		0:                            "0s",
	} {
		if Round(have).String() != want {
			t.Errorf("%d: want %s, have %s", have, want, Round(have))
		}
	}
}
