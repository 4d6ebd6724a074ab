package matrix

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"
)

// removal is when a server that died has left every list: its session's end, which ZooKeeper rounds
// up to a tick.
const removal = sessionTimeout + tick + slack

// killRows are F1 to F3: servers that die without a word.
func killRows(t *testing.T, r *rig) {
	f := newFleet(t, r, "kill", plan{processes: true})
	sampler := f.sample(f.instances()...)
	hold(time.Second) // every node has been seen

	f.row("F1", "server kill -9", func(r *row) {
		r.children[0].kill()
		r.converged = r.agree(removal, r.without(r.children[0].instance)...)
		r.kept(serverCount - 1)
	})
	f.respawn(0)
	f.agree(5*time.Second, f.instances()...)

	f.row("F2", "kill -9, back in 200 ms", func(r *row) {
		r.leavesOneSide() // for the second in which those who refused are set aside
		killed := time.Now()
		ghosts := r.killAll(sampler, 200*time.Millisecond)
		hold(time.Until(killed.Add(removal)))
		r.neverLost(sampler, ghosts)
		r.kept(serverCount)
		r.agree(time.Second, r.instances()...)
	})
	f.row("F3", "kill -9, back in 0 to 2T", func(r *row) {
		r.leavesOneSide()
		for range 2 {
			r.killAtRandom(sampler)
		}
	})
}

// A ghost is the node of a process that was killed.
type ghost struct {
	child *child // the successor
	owner int64
}

// killAll kills every second server and starts it again after pause.
func (r *row) killAll(s *sampler, pause time.Duration) (ghosts []ghost) {
	r.Helper()
	for i := 0; i < len(r.children); i += 2 {
		owner := r.ownerOf(s, i)
		r.children[i].kill()
		hold(pause)
		ghosts = append(ghosts, ghost{r.respawn(i), owner})
	}
	return ghosts
}

// neverLost wants each ghost taken over within a second of the start of its successor, and the node
// there from then on.
func (r *row) neverLost(s *sampler, ghosts []ghost) {
	r.Helper()
	for _, g := range ghosts {
		at, err := s.takenOver(g.child.instance, g.owner, g.child.started)
		if err != nil {
			r.judge("%s: %s: %v", r.id, g.child.instance, err)
			continue
		}
		took := at.Sub(g.child.started)
		r.converged = max(r.converged, took)
		r.atMost("taken over", took, time.Second)
		r.sampled(s, g.child.instance, g.child.started)
	}
}

// killAtRandom kills three of five servers, starts each again after 0 to 2T, and wants each there,
// from its registration on, for as long as a ghost of it might live.
func (r *row) killAtRandom(s *sampler) {
	r.Helper()
	due := []time.Duration{rand.N(2 * sessionTimeout), rand.N(2 * sessionTimeout),
		rand.N(2 * sessionTimeout)}
	slices.Sort(due)
	order := rand.Perm(serverCount)
	killed, left := order[:len(due)], order[len(due):]
	begun := time.Now()
	owners := map[int]int64{}
	for _, i := range killed {
		owners[i] = r.ownerOf(s, i)
		r.children[i].kill()
	}
	var ghosts []ghost
	for n, i := range killed {
		hold(time.Until(begun.Add(due[n])))
		ghosts = append(ghosts, ghost{r.respawn(i), owners[i]})
	}
	r.converged = max(r.converged, r.succeeded(s, ghosts))
	r.agree(slack, r.instances()...)
	hold(sessionTimeout + tick)
	for _, g := range ghosts {
		if at, err := s.takenOver(g.child.instance, g.owner, g.child.started); err != nil {
			r.judge("%s: %s: %v", r.id, g.child.instance, err)
		} else {
			r.sampled(s, g.child.instance, at)
		}
	}
	for _, i := range left {
		r.sampled(s, r.children[i].instance, begun)
	}
}

// succeeded returns how long it took until each ghost's successor had registered. That the address
// is on every list says nothing: it may be the ghost's node, which then goes before its successor
// comes.
func (r *row) succeeded(s *sampler, ghosts []ghost) time.Duration {
	r.Helper()
	return r.await(r, removal, func() error {
		for _, g := range ghosts {
			if _, err := s.takenOver(g.child.instance, g.owner, g.child.started); err != nil {
				return fmt.Errorf("%s: %w", g.child.instance, err)
			}
		}
		return nil
	})
}

// ownerOf is the session of server i. It waits for the sampler, whose latest look may be older than
// the registration that clients know of.
func (r *row) ownerOf(s *sampler, i int) (owner int64) {
	r.Helper()
	_, err := r.until(slack, func() (err error) {
		owner, err = s.owner(r.children[i].instance)
		return err
	})
	if err != nil {
		r.judge("%s: %s: %v", r.id, r.children[i].instance, err)
	}
	return owner
}

// sampled wants the node of instance in every sample since from.
func (r *row) sampled(s *sampler, instance string, from time.Time) {
	r.Helper()
	if n, gone := s.missing(instance, from, time.Now()); gone > 0 || n == 0 {
		r.judge("%s: want %s registered in every sample, have %d of %d without", r.id, instance, gone, n)
	}
}

// stopRows are F4 to F6: servers that are told to end, and one that stands still.
func stopRows(t *testing.T, r *rig) {
	f := newFleet(t, r, "stop", plan{processes: true})
	f.row("F4", "SIGTERM, one after the other", func(r *row) {
		for i := range r.children {
			took := r.children[i].terminate(r, 5*time.Second)
			r.respawn(i)
			r.converged = max(r.converged, r.agree(2*time.Second+slack, r.instances()...))
			r.atMost("exit", took, drainTime+2*time.Second)
		}
		r.kept(serverCount - 1)
		r.noReset()
	})
	for _, share := range []time.Duration{sessionTimeout / 2, 2 * sessionTimeout} {
		f.row("F6", fmt.Sprintf("server stopped for %v", share), func(r *row) { r.stop(share) })
	}
	f.row("F5", "SIGTERM while ZooKeeper is cut off", func(r *row) {
		r.cut()
		hold(time.Second)
		took := r.children[0].terminate(r, 10*time.Second)
		r.atMost("exit", took, 2*time.Second+drainTime+time.Second+slack)
		r.note("exit %v", short(took))
		r.heal()
		r.children = r.children[1:]
		r.converged = r.agree(removal+sessionTimeout, r.instances()...)
	})
}

// stop stops a server's process, as a debugger or a paused VM does.
func (r *row) stop(d time.Duration) {
	r.Helper()
	c := r.children[0]
	c.signal(r, syscall.SIGSTOP)
	hold(d)
	c.signal(r, syscall.SIGCONT)
	r.converged = r.agree(removal, r.instances()...)
	hold(tick) // what was stopped for longer than T is thrown out and comes back
	r.agree(removal, r.instances()...)
}
