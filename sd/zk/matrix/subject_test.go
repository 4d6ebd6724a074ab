package matrix

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/zktest"
)

// A subject is one library in one scenario: a watching process, registering processes, and what
// ZooKeeper holds.
type subject struct {
	*testing.T
	library string
	server  *zktest.Server
	admin   *gozk.Conn
	path    string
	target  string
	watcher *child

	mu    sync.Mutex
	truth []state // what the directory held, when that changed
}

// A state is the instances in a directory since a time.
type state struct {
	at        time.Time
	instances []string
}

// newSubject starts the watcher on a directory with one instance, and returns when it is seen, with
// the registering process.
func newSubject(t *testing.T, server *zktest.Server, scenario, library string) (*subject, *child) {
	t.Helper()
	s := &subject{T: t, library: library, server: server, admin: dialAdmin(t, []string{server.Addr()}),
		path: fmt.Sprintf("/%s-%s/%s", scenario, library, serviceName)}
	s.target = targetText([]string{server.Addr()}, s.path, sessionTimeout)
	every(t, sampleEvery, s.look)
	first := s.announce(firstInstance)
	s.wait(func() error { return s.registryIs(firstInstance) })
	s.watcher = startChild(t, roleWatch+library, s.target, "")
	s.wait(func() error { return s.watcherKnows(firstInstance) })
	return s, first
}

const (
	firstInstance  = "192.0.2.1:1"
	secondInstance = "192.0.2.2:2"
	lastInstance   = "192.0.2.3:3"
)

func (s *subject) announce(instance string) *child {
	s.Helper()
	return startChild(s.T, roleAnnounce+s.library, s.target, instance)
}

func (s *subject) wait(check func() error) { s.Helper(); wait.For(s.T, 10*time.Second, check) }

// look notes what the directory holds, if that has changed.
func (s *subject) look() {
	names, _, err := s.admin.Children(s.path)
	if err != nil && !errors.Is(err, gozk.ErrNoNode) {
		return
	}
	var instances []string
	for _, name := range names {
		if sd.CheckInstance(name) != nil { // go-kit's nodes hold the instance
			data, _, err := s.admin.Get(s.path + "/" + name)
			if err != nil {
				return // it will have changed
			}
			name = string(data)
		}
		instances = append(instances, name)
	}
	slices.Sort(instances)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.truth); n == 0 || !slices.Equal(s.truth[n-1].instances, instances) {
		s.truth = append(s.truth, state{time.Now(), instances})
	}
}

// history returns the directory's states.
func (s *subject) history() []state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.truth)
}

func (s *subject) registryIs(want ...string) error {
	have := s.history()
	if len(have) == 0 || !slices.Equal(have[len(have)-1].instances, want) {
		return fmt.Errorf("%s: want %q registered, have %v", s.library, want, have)
	}
	return nil
}

func (s *subject) watcherKnows(want ...string) error {
	events := s.watcher.events(s)
	if len(events) == 0 || !same(events[len(events)-1], want) {
		return fmt.Errorf("%s: want the watcher to know %q, have %v", s.library, want, events)
	}
	return nil
}

// same reports whether e is about want, once each.
func same(e event, want []string) bool {
	return !e.failed && e.size == len(want) && (e.size == 0 || slices.Equal(e.instances, want))
}

// alive reports whether the watcher sees one more registration.
func (s *subject) alive() bool {
	s.Helper()
	s.announce(lastInstance)
	_, err := wait.Until(3*time.Second, func() error {
		events := s.watcher.events(s)
		if !slices.Contains(events[len(events)-1].instances, lastInstance) {
			return errors.New("not seen")
		}
		return nil
	})
	return err == nil
}

// An outcome is how a scenario went for one library.
type outcome struct {
	library           string
	registry, watcher time.Duration // until each was right for good; negative: never
	shortest, most    int           // lists that the watcher saw
	gap               time.Duration // longest time without any instance in the registry
	errors            int           // events with an error
	dead              bool          // a later registration is not seen
}

// outcome waits for registry and watcher to be at want, and looks back to from.
func (s *subject) outcome(from time.Time, bound time.Duration, want ...string) outcome {
	s.Helper()
	o := outcome{library: s.library, shortest: -1}
	right := func() error { return errors.Join(s.registryIs(want...), s.watcherKnows(want...)) }
	wait.Until(time.Until(from.Add(bound)), right)
	o.registry, o.watcher = -1, -1
	states := s.history()
	if last := states[len(states)-1]; slices.Equal(last.instances, want) {
		o.registry = max(0, last.at.Sub(from))
	}
	for i, st := range states {
		if len(st.instances) == 0 && i+1 < len(states) && states[i+1].at.After(from) && i > 0 {
			o.gap = max(o.gap, states[i+1].at.Sub(st.at))
		}
	}
	events := s.watcher.events(s)
	if last := events[len(events)-1]; same(last, want) {
		o.watcher = max(0, last.at.Sub(from))
	}
	for _, e := range events {
		switch {
		case e.at.Before(from):
			continue
		case e.failed:
			o.errors++
			continue
		}
		if o.shortest < 0 || e.size < o.shortest {
			o.shortest = e.size
		}
		o.most = max(o.most, e.size)
	}
	return o
}

// String is the outcome in a table's cell.
func (o outcome) String() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	add("registry %s", whether(o.registry))
	add("watcher %s", whether(o.watcher))
	if o.gap > 0 {
		add("registry empty for %v", short(o.gap))
	}
	switch {
	case o.shortest < 0:
		add("told nothing")
	default:
		add("lists of %d to %d", o.shortest, o.most)
	}
	if o.errors > 0 {
		add("%d error events", o.errors)
	}
	if o.dead {
		add("DEAD AFTERWARDS")
	}
	return strings.Join(parts, ", ")
}

func whether(d time.Duration) string {
	if d < 0 {
		return "NEVER RIGHT"
	}
	return "right after " + short(d).String()
}
