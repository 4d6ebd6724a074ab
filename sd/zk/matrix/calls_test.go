package matrix

import (
	"context"
	"fmt"
	"testing"
	"time"

	"example.com/daytime/service"
)

// callRows are about what calls make of a list that is right.
func callRows(t *testing.T, r *rig) {
	f := newFleet(t, r, "calls", plan{})
	withdrawalRow(f)
	deadRow(f)
}

// withdrawalRow is F46: who leaves on purpose gets nothing more, though fewer than half remain. As
// after a lost session, they go on serving meanwhile.
func withdrawalRow(f *fleet) {
	const leaving = 3
	f.row("F46", fmt.Sprintf("%d of %d servers deregister", leaving, serverCount), func(r *row) {
		r.leavesOneSide()
		for _, s := range r.servers[:leaving] {
			s.registrar.Deregister()
		}
		left := time.Now()
		hold(2 * time.Second)
		for _, s := range r.servers[:leaving] {
			r.converged = max(r.converged, r.tally.attempted(s.instance).Sub(left))
		}
		r.atMost("last attempt at one that left", r.converged, 200*time.Millisecond+slack)
		r.agree(slack, r.instances()[leaving:]...)
		for _, s := range r.servers[:leaving] {
			s.registrar.Register()
		}
		r.agree(slack, r.instances()...)
	})
}

// deadCount is how many of the list are dead in deadRow.
const deadCount = 100

// deadRow is F47: the list is full of servers that refuse, as it is after a long outage.
func deadRow(f *fleet) {
	fault := fmt.Sprintf("%d dead on the list, %d alive, for 3 s", deadCount, serverCount)
	f.row("F47", fault, func(r *row) {
		var dead []string
		for n := range deadCount {
			dead = append(dead, fmt.Sprintf("127.0.3.%d:9", n+1)) // where nobody listens
			r.put(dead[n])
		}
		r.converged = r.agree(slack, append(r.instances(), dead...)...)
		hold(3 * time.Second)
		for _, name := range dead {
			r.remove(name)
		}
		r.agree(slack, r.instances()...)
	})
}

// slowTime is how long each handler of slowRow takes: longer than an attempt's share of the time,
// and shorter than the time of a call.
const slowTime = 800 * time.Millisecond

// A slow service takes its time.
type slow struct{ service.Service }

func (s slow) Daytime(ctx context.Context) (string, error) {
	timer := time.NewTimer(slowTime)
	defer timer.Stop()
	select {
	case <-timer.C:
		return s.Service.Daytime(ctx)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// slowRow is F48: healthy servers with a slow handler. It costs nobody a call, and no server its
// place.
func slowRow(t *testing.T, r *rig) {
	f := newFleet(t, r, "slow-handler", plan{slow: true})
	f.row("F48", fmt.Sprintf("every handler takes %v", slowTime), func(r *row) {
		hold(4 * time.Second)
		ejections := uint64(0)
		for _, c := range r.clients {
			for _, s := range c.pool.Stats() {
				ejections += s.Ejections
			}
		}
		if ejections > 0 {
			r.judge("%s: want no server ejected, have %d ejections", r.id, ejections)
		}
	})
}
