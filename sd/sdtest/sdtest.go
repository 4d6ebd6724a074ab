// Package sdtest is the contract of sd.Backend as a test suite. A backend calls [Run] from its own
// tests with a [Harness]; what fails names the rule that was broken. The same cases run inside
// testing/synctest bubbles and against a real registry, because they wait only through the harness.
package sdtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"go.uber.org/goleak"
)

// A Harness is one fresh, existing, empty directory of the backend under test,
// and the hand of somebody else in it.
type Harness interface {
	// Open returns one more client, with a session of its own. The case closes it.
	Open() (sd.Backend, error)
	// Put adds an entry as another program would, or hands over an existing one.
	Put(instance string) error
	// Remove deletes an entry, whoever owns it.
	Remove(instance string) error
	// Instances lists the directory, past the backend.
	Instances() ([]string, error)
	// Fail makes the registry unreachable for every client, until Restore.
	// Sessions outlive a failure of less than 3 s.
	Fail() error
	Restore() error
	// Settle returns when what was set off before has had its effects:
	// synctest.Wait inside a bubble, a short pause outside.
	Settle()
}

// A Limited harness says what its backend cannot do. What a backend lacks is not tested, and
// nothing is lacking by default.
type Limited interface {
	Harness
	Lacks() Lacks
}

// Lacks is what a backend does without.
type Lacks struct {
	Announce   bool // it takes no registration (sd.ErrNoAnnounce)
	Withdrew   bool // every instance that left is in doubt, and therefore lost
	Attributes bool // an instance has none but its name
	Policy     bool // a directory has none (sd.ErrNoPolicy)
}

// A Case is one rule of the contract.
type Case struct {
	Name  string
	Rule  string // what is broken when the case fails
	Needs Lacks  // what a backend must not lack
	run   func(ctx context.Context, h Harness) error
}

// Skips reports whether the backend of h lacks something that the case needs.
func (c Case) Skips(h Harness) bool {
	limited, ok := h.(Limited)
	if !ok {
		return false
	}
	lacks, needs := limited.Lacks(), c.Needs
	return needs.Announce && lacks.Announce || needs.Withdrew && lacks.Withdrew ||
		needs.Attributes && lacks.Attributes || needs.Policy && lacks.Policy
}

// Check runs the case and returns what it found. It needs no testing.T, so that
// a test can show which cases a wrong backend fails.
func (c Case) Check(ctx context.Context, h Harness) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := c.run(ctx, h); err != nil {
		return fmt.Errorf("%s: %w", c.Rule, err)
	}
	return nil
}

// Run runs every case as a subtest. In calls its function in the surroundings the backend needs:
// synctest.Test, or nothing more than the call. New makes the harness of one case.
func Run(t *testing.T, in func(*testing.T, func(*testing.T)), new func(testing.TB) Harness) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				h := new(t)
				if c.Skips(h) {
					t.Skipf("the backend lacks what it takes, %+v: %s", c.Needs, c.Rule)
				}
				if err := c.Check(t.Context(), h); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The instances of the cases.
const (
	alice = "192.0.2.1:8897"
	bob   = "192.0.2.2:8897"
	carol = "[2001:db8::3]:8897"
)

// bound is how long a case waits for what must happen.
const bound = 15 * time.Second

// eventually waits until f returns nil, and returns its last error after bound.
func eventually(h Harness, f func() error) error {
	_, err := wait.Poll(bound, h.Settle, func(time.Duration) time.Duration { return wait.Every }, f)
	return err
}

func pause(d time.Duration) { <-time.After(d) }

// registered waits until the directory holds just want.
func registered(h Harness, want ...string) error {
	return eventually(h, func() error {
		have, err := h.Instances()
		if err != nil {
			return err
		}
		return Same("registered", want, have)
	})
}

// Same returns an error unless want and have are the same names, in whatever order.
func Same(what string, want, have []string) error {
	want, have = slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(have))
	if !slices.Equal(want, have) {
		return fmt.Errorf("%s: want %q, have %q", what, want, have)
	}
	return nil
}

// A call is a Watch or an Announce under way in a goroutine of the case.
type call struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the call has returned
	err    error         // of the call, after done
}

func start(ctx context.Context, f func(context.Context) error) *call {
	ctx, cancel := context.WithCancel(ctx)
	c := &call{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.err = f(ctx)
	}()
	return c
}

// end waits for the call to return by itself.
func (c *call) end(h Harness) error {
	return eventually(h, func() error {
		select {
		case <-c.done:
			return nil
		default:
			return errors.New("call has not returned")
		}
	})
}

// stop cancels the call and checks that it returns ctx's error.
func (c *call) stop(h Harness) error {
	c.cancel()
	if err := c.end(h); err != nil {
		return err
	}
	if !errors.Is(c.err, context.Canceled) {
		return fmt.Errorf("after cancel: want %v, have %v", context.Canceled, c.err)
	}
	return nil
}

// watch starts a Watch of names that is recorded.
func watch(ctx context.Context, b sd.Backend) (*call, *Recorder) {
	return watchWanting(ctx, b, sd.Want{})
}

// watchWanting starts a Watch that is recorded.
func watchWanting(ctx context.Context, b sd.Backend, want sd.Want) (*call, *Recorder) {
	r := NewRecorder()
	r.want = want
	return start(ctx, func(ctx context.Context) error {
		defer r.Returned()
		return b.Watch(ctx, want, r.Emit)
	}), r
}

// announce starts an Announce without attributes, and waits until it has told that the entry is
// visible, or for its return.
func announce(ctx context.Context, h Harness, b sd.Backend, instance string) (*call, error) {
	return announceEntry(ctx, h, b, sd.Entry{Instance: instance})
}

// announceEntry is announce with attributes.
func announceEntry(ctx context.Context, h Harness, b sd.Backend, e sd.Entry) (*call, error) {
	a := announceTelling(ctx, b, e)
	return a.call, eventually(h, func() error {
		select {
		case <-a.done:
			return fmt.Errorf("announce %s: %w", e.Instance, a.err)
		default:
		}
		if a.status().Phase != sd.Registered {
			return fmt.Errorf("announce %s: not up", e.Instance)
		}
		return nil
	})
}

// An announcing is an Announce under way, and what it has told.
type announcing struct {
	*call
	mu   sync.Mutex
	last sd.Status
}

// status is what was told last.
func (a *announcing) status() sd.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// announceTelling starts an Announce. The same phase told twice is an error of the call.
func announceTelling(ctx context.Context, b sd.Backend, e sd.Entry) *announcing {
	a := &announcing{}
	var twice error
	a.call = start(ctx, func(ctx context.Context) error {
		err := b.Announce(ctx, e, func(s sd.Status) {
			a.mu.Lock()
			defer a.mu.Unlock()
			if s.Phase == sd.Registered && a.last.Phase == sd.Registered {
				twice = fmt.Errorf("announce %s: %s was told twice", e.Instance, s.Phase)
			}
			a.last = s
		})
		if twice != nil {
			return fmt.Errorf("%w, then: %v", twice, err)
		}
		return err
	})
	return a
}

// leaked looks for goroutines that a call left behind.
func leaked(before goleak.Option) error {
	if err := goleak.Find(before); err != nil {
		return fmt.Errorf("goroutines left behind: %w", err)
	}
	return nil
}
