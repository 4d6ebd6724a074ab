package dns

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	mdns "github.com/miekg/dns"
)

// While reads fail, who calls Watch again at once asks ever more rarely, and is told why.
func TestPacing(t *testing.T) {
	d := newDirectory(t)
	d.instead(rcode(mdns.RcodeServerFailure))
	b := d.open(t, service, "")
	b.interval = 0
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	begun, watches := time.Now(), 0
	for ; ctx.Err() == nil; watches++ {
		err := b.Watch(ctx, sd.Want{}, nil)
		if ctx.Err() == nil && !errors.Is(b.Err(), err) {
			t.Errorf("want %v, have %v", err, b.Err())
		}
	}
	if took := time.Since(begun); watches > 6 || took > 3*time.Second {
		t.Errorf("want reads after 0, 0.1, 0.3, 0.7 and 1.5 s, and then the end of the context, "+
			"have %d watches in %v", watches, took)
	}
	d.instead(nil)
	f := follow(t, b)
	f.shows()
	if b.Err() != nil {
		t.Errorf("after an answer: want no error, have %v", b.Err())
	}
	f.Stop()
}

// Pauses double up to what is given, and end with an answer.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pacing
		rested := func() time.Duration {
			begun := time.Now()
			p.rest(t.Context())
			return time.Since(begun)
		}
		for range 2 {
			for _, ms := range []time.Duration{0, 100, 200, 400, 500, 500} {
				want := ms * time.Millisecond
				if have := rested(); have != want {
					t.Errorf("want a pause of %v, have %v", want, have)
				}
				if have := rested(); have != 0 {
					t.Errorf("second watch after the pause: want none, have %v", have)
				}
				p.failed(errTimeout, 500*time.Millisecond)
			}
			p.answered()
		}
	})
}

// A TTL goes on while the host sleeps, as timers do not.
func TestTTLThroughASleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		keep(t.Context(), begun.Add(-50*time.Minute), time.Hour) // in which it has slept
		if took := time.Since(begun); took != 10*time.Minute {
			t.Errorf("want the last 10m, have %v", took)
		}
		begun = time.Now()
		keep(t.Context(), begun.Add(time.Hour), 5*time.Minute) // a clock that was set back
		if took := time.Since(begun); took != 5*time.Minute {
			t.Errorf("want 5m, have %v", took)
		}
	})
}
