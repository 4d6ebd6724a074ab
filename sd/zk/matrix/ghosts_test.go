package matrix

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
)

const (
	ghostCount = 50
	// of sessions: long enough for a ghost to outlive its successor's start
	ghostTimeout = 6 * time.Second
	ghostEvery   = 1500 * time.Millisecond
)

// ghostsRow kills and restarts a process every 1.5 s, so that each of five has 7.5 s to outlive its
// ghost.
func ghostsRow(t *testing.T, r *rig) {
	f := newFleet(t, r, "ghosts", plan{processes: true, timeout: ghostTimeout})
	sampler := f.sample(f.instances()...)
	hold(time.Second) // every node has been seen
	f.row("F2b", fmt.Sprintf("kill -9, back in 200 ms, %d times, T = %v", ghostCount, ghostTimeout),
		func(r *row) {
			var takeovers []time.Duration // from the start of the successor's process
			for n := range ghostCount {
				next := time.Now().Add(ghostEvery)
				i := n % len(r.children)
				owner, err := sampler.owner(r.children[i].instance)
				if err != nil {
					r.Fatal(err)
				}
				r.children[i].kill()
				hold(150 * time.Millisecond)
				g := ghost{r.respawn(i), owner}
				hold(time.Until(next))
				before := r.converged
				r.converged = 0
				r.neverLost(sampler, []ghost{g})
				takeovers = append(takeovers, r.converged)
				r.converged = max(r.converged, before)
			}
			hold(ghostTimeout + tick + slack) // past the last ghost's end
			slices.Sort(takeovers)
			r.note("median %v", short(takeovers[len(takeovers)/2]))
			all, without := 0, 0
			for _, instance := range r.instances() {
				n, gone := sampler.missing(instance, r.begun, time.Now())
				all, without = all+n, without+gone
			}
			if without > 0 || all == 0 {
				r.Errorf("want every server registered in every sample, have %d of %d without", without, all)
			}
			r.note("%d of %d samples without", without, all)
			r.kept(serverCount)
			r.quiet()
		})
}

// lifeCount is how often livesRow starts and stops, in lifeAtOnce at a time.
const (
	lifeCount  = 200
	lifeAtOnce = 8
)

// livesRow is F45: registration and discovery start and stop in one process, and leave nothing
// behind, here or in ZooKeeper.
func livesRow(t *testing.T, r *rig) {
	target := sdtest.Target(t, targetText(r.Addrs(), "/lives", sessionTimeout))
	if err := live(target, 0); err != nil { // the first makes the directory
		t.Fatal(err)
	}
	before, held, begun := currentUsage(), r.held(t), time.Now()
	var running sync.WaitGroup
	for n := range lifeAtOnce {
		running.Go(func() {
			for range lifeCount / lifeAtOnce {
				if err := live(target, n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	took := time.Since(begun)
	settled(t, before)
	after := currentUsage()
	if _, err := r.until(sessionTimeout, func() error {
		if have := r.held(t); have != held {
			return fmt.Errorf("want ZooKeeper to hold %+v again, have %+v", held, have)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	r.report.add(line{id: "F45", fault: fmt.Sprintf("%d lives in one process", lifeCount),
		converged: took * lifeAtOnce / lifeCount, notes: []string{
			fmt.Sprintf("goroutines %d to %d, descriptors %d to %d", before.goroutines, after.goroutines,
				before.descriptors, after.descriptors),
			fmt.Sprintf("watches %d, connections %d as before", held.watches, held.connections)}})
}

// A life is a backend with a registration and a view of the directory, from open to close.
type life struct {
	backend   *zk.Backend
	view      *sdtest.Viewer
	registrar *sd.Registrar
}

// begin opens a backend, begins to watch, and registers instance.
func begin(target sd.Target, instance string) (*life, error) {
	backend, err := zk.OpenBackend(target)
	if err != nil {
		return nil, err
	}
	registrar, err := sd.NewRegistrar(backend, instance, kitlog.NewNopLogger())
	if err != nil {
		return nil, errors.Join(err, backend.Close())
	}
	l := &life{backend, sdtest.NewViewer(backend), registrar}
	registrar.Register()
	return l, nil
}

func (l *life) end() {
	l.registrar.Deregister()
	l.view.Stop()
	l.backend.Close()
}

// live has a life, until it sees its registration.
func live(target sd.Target, n int) error {
	instance := fmt.Sprintf("192.0.2.%d:8897", n+1)
	l, err := begin(target, instance)
	if err != nil {
		return err
	}
	defer l.end()
	_, err = wait.Until(5*time.Second, func() error {
		if !l.view.Has(instance) {
			return errors.New("not seen")
		}
		return nil
	})
	return err
}

// A holding is what ZooKeeper keeps for clients.
type holding struct{ watches, connections int }

// held adds up all members.
func (r *rig) held(t testing.TB) (h holding) {
	t.Helper()
	for _, s := range r.Servers() {
		h.watches += s.Watches(t)
		h.connections += s.Connections(t)
	}
	return h
}
