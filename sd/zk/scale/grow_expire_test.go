package scale

import (
	"fmt"
	"time"

	"example.com/daytime/sd/internal/wait"
)

// expire has sessions expire at once, and come back, twice as many each time until it breaks.
func (g *growth) expire() {
	g.Helper()
	for n := *growExpire; n <= *growMost; n *= 2 {
		err := g.expireOnce(n)
		_, bytes := g.reckon()
		g.memory(fmt.Sprintf("with %d sessions", n))
		g.Logf("%d sessions: %.1f MB to the clients, %d lists so far", n, float64(bytes)/1e6, g.lists())
		if err == nil {
			continue
		}
		g.Logf("%d sessions break it: after %v: %v", n, *growBound, err)
		if n == *growExpire {
			g.Errorf("want the truth about %d sessions known within %v", n, *growBound)
		}
		return
	}
}

// expireOnce has n sessions join, expire and come back. An error is that of a client which did not
// know the truth in time.
func (g *growth) expireOnce(n int) error {
	g.Helper()
	shift := g.shift(n)
	joined, err := wait.Until(*growBound, g.behind)
	began := time.Now()
	shift.leave()
	g.note(n, false)
	if err != nil {
		return fmt.Errorf("joined: %w", err)
	}
	left, err := wait.Until(*growTimeout+*growBound, g.behind)
	if err != nil {
		return fmt.Errorf("expired: %w", err)
	}
	shift = g.shift(n)
	registered := time.Since(began)
	known, err := wait.Until(*growBound, g.behind)
	g.Logf("%d sessions: joined, known %v later; all expired, known after %v (T is %v); "+
		"back after %v, known %v later",
		n, short(joined), short(left), *growTimeout, short(registered), short(known))
	shift.leave()
	g.note(n, false)
	if err != nil {
		return fmt.Errorf("back: %w", err)
	}
	_, err = wait.Until(*growTimeout+*growBound, g.behind)
	return err
}

// shift registers n sessions, which are part of the truth from then on.
func (g *growth) shift(n int) *shift {
	g.Helper()
	g.note(n, true)
	return startShift(g, g.ensemble.Addrs(), g.path, *growInstances, n, *growTimeout)
}

func short(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// note says that the sessions of a shift are there, or gone.
func (g *growth) note(n int, up bool) {
	names := make([]string, n)
	for k := range names {
		names[k] = instance(*growInstances + k)
	}
	g.ledger.change(up, names...)
}
