package zk_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/sd/zk/zktest"
)

const (
	drainBob      = policy.Header + "\ndrain " + bob + "\n"
	withdrawAlice = policy.Header + "\nwithdraw " + alice + "\n"
)

// One Backend that watches and announces has one watch on the directory, whichever of the two began
// first: neither is deaf to the policy, or to servers that come and go.
func TestOneWatchForAllInMemory(t *testing.T) {
	for _, mode := range []string{"persistent", "children"} {
		oneWatchForAll(t, bubble, func(t testing.TB) sdtest.Harness {
			return newMemory(t, "zk://zookeeper.example.com?watch="+mode)
		})
	}
}

func TestOneWatchForAllOnZooKeeper(t *testing.T) {
	server := zktest.Start(t)
	n := 0
	for _, mode := range []string{"auto", "children"} {
		oneWatchForAll(t, realTime, func(t testing.TB) sdtest.Harness {
			n++
			return newProcess(t, server, fmt.Sprintf("/shared%d", n), "?watch="+mode)
		})
	}
}

func oneWatchForAll(t *testing.T, in func(*testing.T, func(*testing.T)), harness func(testing.TB) sdtest.Harness) {
	for name, order := range map[string][2]bool{
		"watch first": {true, false}, "announce first": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				s := newShared(t, harness(t))
				for _, watch := range order {
					if watch {
						s.watch()
					} else {
						s.announce()
					}
				}
				s.steer()
				s.stopWatch() // and the announcer goes on
				s.write(withdrawAlice)
				s.told(sd.Withheld)
				s.watch()
				s.write("")
				s.told(sd.Registered)
				s.steer()
				if have := s.backend.Stats().Repaired; have != 0 {
					t.Errorf("repaired by audits: want nothing, have %d", have)
				}
			})
		})
	}
}

// A shared is a Backend that watches and announces alice, and an operator.
type shared struct {
	t        *testing.T
	h        sdtest.Harness
	backend  *zk.Backend
	operator sd.PolicyStore
	recorder *sdtest.Recorder
	stopWatch,
	stopAnnounce func()

	mu      sync.Mutex
	status  sd.Status
	policy  sd.PolicyText
	lacking bool
	says    map[string]policy.Attributes
	unread  []string
}

// take notes what a Watch tells beside the names.
func (s *shared) take(c sd.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lacking = s.lacking || c.Lacking.Policy; c.Policy != nil {
		s.policy, s.lacking = *c.Policy, false
	}
	maps.Copy(s.says, c.Attributes)
	s.unread = append(s.unread, c.Unread...)
}

// look returns what f makes of what was told.
func (s *shared) look(f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f()
}

func (s *shared) saysWeight(instance string, want int) {
	s.t.Helper()
	s.eventually(func() error {
		return s.look(func() error {
			if have := s.says[instance].EffectiveWeight(); have != want {
				return fmt.Errorf("weight of %s: want %d, have %d", instance, want, have)
			}
			return nil
		})
	})
}

func newShared(t *testing.T, h sdtest.Harness) *shared {
	s := &shared{t: t, h: h, says: map[string]policy.Attributes{}, stopWatch: func() {}, stopAnnounce: func() {}}
	open := func() *zk.Backend {
		b, err := h.Open()
		if err != nil {
			t.Fatal(err)
		}
		return b.(*zk.Backend)
	}
	s.backend = open()
	operator := open()
	s.operator = operator
	t.Cleanup(func() {
		s.stopWatch()
		s.stopAnnounce()
		s.backend.Close()
		operator.Close()
	})
	return s
}

// in runs f until it is stopped.
func (s *shared) in(f func(ctx context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

func (s *shared) watch() {
	r := sdtest.NewRecorder()
	s.recorder = r
	s.stopWatch = s.in(func(ctx context.Context) {
		err := s.backend.Watch(ctx, sd.Want{Attributes: true, Policy: true}, func(c sd.Change) {
			s.take(c)
			r.Emit(c)
		})
		if ctx.Err() == nil {
			s.t.Errorf("watch: %v", err)
		}
	})
	s.eventually(func() error {
		if _, known := r.Set(); !known {
			return errors.New("no set yet")
		}
		return r.Err()
	})
}

func (s *shared) announce() {
	s.stopAnnounce = s.in(func(ctx context.Context) {
		err := s.backend.Announce(ctx, sd.Entry{Instance: alice}, func(status sd.Status) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.status = status
		})
		if ctx.Err() == nil {
			s.t.Errorf("announce: %v", err)
		}
	})
	s.told(sd.Registered)
}

func (s *shared) eventually(f func() error) {
	s.t.Helper()
	every := func(time.Duration) time.Duration { return wait.Every }
	if _, err := wait.Poll(5*time.Second, s.h.Settle, every, f); err != nil { // an audit comes later
		s.t.Fatal(err)
	}
}

func (s *shared) write(document string) {
	s.t.Helper()
	_, version, err := s.operator.ReadPolicy(context.Background())
	if err == nil {
		err = s.operator.WritePolicy(context.Background(), document, version)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shared) told(want sd.Phase) {
	s.t.Helper()
	s.eventually(func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.status.Phase != want {
			return fmt.Errorf("told: want %s, have %v", want, s.status)
		}
		return nil
	})
}

func (s *shared) shows(document string, want ...string) {
	s.t.Helper()
	s.eventually(func() error {
		err := s.look(func() error {
			if have := s.policy.Document; have != document {
				return fmt.Errorf("policy: want %q, have %q", document, have)
			}
			return nil
		})
		return errors.Join(err, s.recorder.Is(want...), s.recorder.Err())
	})
}

// steer changes the policy and the members by turns.
func (s *shared) steer() {
	s.t.Helper()
	do := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	s.shows("", alice)
	s.write(drainBob)
	s.shows(drainBob, alice)
	do(s.h.Put(bob))
	s.shows(drainBob, alice, bob)
	s.write(withdrawAlice)
	s.told(sd.Withheld)
	s.shows(withdrawAlice, bob)
	do(s.h.Put(carol))
	do(s.h.Remove(bob))
	s.shows(withdrawAlice, carol)
	s.write("")
	s.told(sd.Registered)
	s.shows("", alice, carol)
	do(s.h.Remove(carol))
	s.shows("", alice)
}

// A Watch that asks for nothing beside the names makes no request when a name comes.
func TestUnaskedReadsNothing(t *testing.T) {
	inWorld(t, "zk://zookeeper.example.com", func(w *world) {
		b := w.open()
		w.SetData("/go_servers", []byte(drainBob))
		v := w.view(b)
		w.shows(v, time.Second)
		before := w.Requests()
		w.Put(alice)
		w.SetData("/go_servers/"+alice, []byte("{}"))
		w.SetData("/go_servers", nil)
		w.shows(v, time.Second, alice)
		if have := w.Requests() - before; have != 0 {
			t.Errorf("requests: want none, have %d", have)
		}
	})
}

// A burst of servers that come is one request, and a document that is too long, or none, hides no
// server.
func TestAttributesAreReadTogether(t *testing.T) {
	inWorld(t, "zk://zookeeper.example.com", func(w *world) {
		s := newShared(w.t, w.memory)
		s.watch()
		before := w.Requests(zkdev.OpMultiRead)
		w.Slow(10 * time.Millisecond)
		var want []string
		for i := range 50 {
			name := fmt.Sprintf("192.0.2.%d:80", i+1)
			want = append(want, name)
			w.Create("/go_servers/"+name, []byte(`{"weight":7}`), 0)
		}
		w.SetData("/go_servers/"+want[7], make([]byte, 100<<10))
		s.shows("", want...)
		if have := w.Requests(zkdev.OpMultiRead) - before; have > 3 {
			t.Errorf("requests: want 3 at most for a burst of 50, have %d", have)
		}
		s.saysWeight(want[6], 7)
		if !slices.Contains(s.unread, want[7]) {
			t.Errorf("unread: want %s, have %q", want[7], s.unread)
		}
	})
}

// Without multiRead, which a server says by closing the connection, the attributes are read one by
// one, some at a time.
func TestAttributesWithoutMultiRead(t *testing.T) {
	inWorld(t, "zk://zookeeper.example.com", func(w *world) {
		w.LackOps(zkdev.OpMultiRead)
		for i := range 200 {
			w.Create(fmt.Sprintf("/go_servers/192.0.2.%d:80", i+1), []byte(`{"weight":7}`), 0)
		}
		i := sdtest.View(w.t, w.open(), sd.FollowPolicy())
		w.eventually(5*time.Second, func() error {
			for _, e := range i.Entries() {
				if e.Attributes.EffectiveWeight() != 7 {
					return fmt.Errorf("want weight 7, have %v", e)
				}
			}
			if have := len(i.Entries()); have != 200 {
				return fmt.Errorf("want 200 instances, have %d", have)
			}
			return nil
		})
	})
}

// A policy that cannot be read for two seconds on a connection that answers is lacking, and is told
// when it can be read.
func TestUnreadablePolicyIsLacking(t *testing.T) {
	inWorld(t, "zk://zookeeper.example.com", func(w *world) {
		w.Put(alice)
		w.SetData("/go_servers", []byte(drainBob))
		w.FailAll(zkdev.OpGetData, zkdev.MarshallingError)
		s := newShared(w.t, w.memory)
		began := time.Now()
		s.watch()
		if took := time.Since(began); took < 2*time.Second || took > 3*time.Second {
			t.Errorf("the set: want it after 2 s, have %v", took)
		}
		if !s.lacking {
			t.Error("want the policy lacking, have nothing said")
		}
		w.FailAll(zkdev.OpGetData, zkdev.OK)
		s.shows(drainBob, alice)
	})
}

// A policy that is longer than one may be is read once, and told as what it is.
func TestPolicyThatIsTooLong(t *testing.T) {
	inWorld(t, "zk://zookeeper.example.com", func(w *world) {
		i := sdtest.View(w.t, w.open(), sd.FollowPolicy())
		w.phase(i.State, time.Second, sd.Live)
		w.SetData("/go_servers", []byte(policy.Header+strings.Repeat("\n", policy.MaxSize)))
		w.eventually(time.Second, func() error {
			if err := i.Policy().Err; !errors.Is(err, policy.ErrUnreadable) {
				return fmt.Errorf("want %v, have %v", policy.ErrUnreadable, err)
			}
			return nil
		})
		before := w.Requests(zkdev.OpGetData)
		wait.Pass(20 * time.Second)
		if have := w.Requests(zkdev.OpGetData) - before; have > 0 {
			t.Errorf("reads in 20 s: want none, have %d", have)
		}
		w.SetData("/go_servers", []byte(drainBob))
		w.eventually(time.Second, func() error { return i.Policy().Err })
	})
}

// An event about the policy that is lost is made good by an audit.
func TestLostPolicyEventIsFound(t *testing.T) {
	inWorld(t, "zk://zookeeper.example.com", func(w *world) {
		b := w.open()
		i := sdtest.View(w.t, b, sd.FollowPolicy())
		w.phase(i.State, time.Second, sd.Live)
		w.ForgetWatches()
		w.SetData("/go_servers", []byte(drainBob))
		w.eventually(time.Minute, func() error {
			if have := i.Policy().Document.String(); have != drainBob {
				return fmt.Errorf("policy: want %q, have %q", drainBob, have)
			}
			return nil
		})
		if have := b.Stats().Repaired; have != 1 {
			t.Errorf("repaired: want 1, have %d", have)
		}
	})
}

// A Watch that found a server without persistent watches, and was given up over it, does not keep a
// registrar from reading the policy there.
func TestPolicyAfterAWatchWithoutPersistentWatches(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		w.FailAll(zkdev.OpAddWatch, zkdev.MarshallingError)
		b := w.open()
		err := b.Watch(w.t.Context(), sd.Want{}, func(sd.Change) {})
		if err == nil || !strings.Contains(err.Error(), "watched by lists") {
			t.Fatalf("want no persistent watches, have %v", err)
		}
		w.SetData("/go_servers", []byte(withdrawAlice))
		r := w.register(b, alice)
		w.phase(r.State, 5*time.Second, sd.Withheld)
		w.SetData("/go_servers", nil)
		w.phase(r.State, time.Second, sd.Registered)
	})
}
