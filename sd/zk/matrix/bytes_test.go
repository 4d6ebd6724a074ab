package matrix

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/zktest"
)

// bytesRow is F20: the first connection is cut after each number of bytes, so that each reply gets
// lost once after its request was carried out. A registration, a list and a withdrawal take some
// 600 bytes in either direction.
func bytesRow(t *testing.T, r *rig) {
	step, workers := 13, 8
	if *runAll {
		step = 1
	}
	cases := make(chan cutCase)
	var running sync.WaitGroup
	worst := make([]time.Duration, workers)
	for w := range workers {
		proxy := zktest.NewProxy(t, r.Addrs()[w%3])
		running.Go(func() {
			for c := range cases {
				took, err := c.try(r, proxy, w)
				if err != nil {
					t.Errorf("F20: cut after %d bytes %v: %v", c.after, c.direction, err)
				}
				worst[w] = max(worst[w], took)
			}
		})
	}
	n := 0
	for after := 1; after <= 800; after += step {
		for _, d := range []zktest.Direction{zktest.ToTarget, zktest.ToClient} {
			cases <- cutCase{d, after}
			n++
		}
	}
	close(cases)
	running.Wait()
	l := line{id: "F20", fault: fmt.Sprintf("cut after 1, %d … 800 bytes", 1+step),
		notes: []string{fmt.Sprintf("%d cuts", n)}}
	for _, w := range worst {
		l.converged = max(l.converged, w)
	}
	r.report.add(l)
}

// A cutCase is where one connection is cut.
type cutCase struct {
	direction zktest.Direction
	after     int
}

// try registers, finds and withdraws one instance over a connection that is cut on the way. It
// returns how long the registration took to be there and seen.
func (c cutCase) try(r *rig, proxy *zktest.Proxy, worker int) (time.Duration, error) {
	defer proxy.Heal()
	addr := proxy.Addr()
	target, err := sd.ParseTarget(targetText([]string{addr, addr, addr}, "/bytes", sessionTimeout))
	if err != nil {
		return 0, err
	}
	proxy.CutAfter(c.direction, c.after)
	instance := fmt.Sprintf("192.0.2.%d:%d", worker+1, c.after+1000*int(c.direction))
	begun := time.Now()
	l, err := begin(target, instance)
	if err != nil {
		return 0, err
	}
	defer l.end()
	_, err = r.until(sessionTimeout+2*time.Second, func() error {
		return l.registeredAndSeen(r, "/bytes", instance)
	})
	took := time.Since(begun)
	if err != nil {
		return took, fmt.Errorf("%w; %v; %v", err, l.registrar.State(), l.view.State())
	}
	l.registrar.Deregister()
	_, err = r.until(sessionTimeout, func() error { return l.gone(r, "/bytes", instance) })
	return took, err
}

// registeredAndSeen wants instance owned by the backend's session, and known.
func (l *life) registeredAndSeen(r *rig, directory, instance string) error {
	there, stat, err := r.admin.Exists(directory + "/" + instance)
	session := l.backend.Stats().Session
	switch {
	case err != nil:
		return err
	case !there:
		return errors.New("not registered")
	case stat.EphemeralOwner != session:
		return fmt.Errorf("registered by session 0x%x, want 0x%x", stat.EphemeralOwner, session)
	case !l.view.Has(instance):
		return errors.New("not seen")
	}
	return nil
}

// gone wants instance neither registered nor known.
func (l *life) gone(r *rig, directory, instance string) error {
	there, _, err := r.admin.Exists(directory + "/" + instance)
	switch {
	case err != nil && !errors.Is(err, gozk.ErrNoNode):
		return err
	case there:
		return errors.New("still registered")
	case l.view.Has(instance):
		return errors.New("still seen")
	}
	return nil
}
