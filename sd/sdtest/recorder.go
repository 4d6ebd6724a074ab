package sdtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"example.com/daytime/sd"
)

// A Recorder takes what a Watch emits, keeps the set that follows from it, and finds what the
// contract forbids: a difference before the first Reset, one that is not exact, two emits at a
// time, an emit after the return, a change that changes afterwards.
type Recorder struct {
	emitting atomic.Int32

	mu       sync.Mutex
	returned bool
	history  []emitted
	set      map[string]bool
	smallest int
	faults   []error
}

// An emitted is a change, and what it was when it was emitted.
type emitted struct{ change, copied sd.Change }

// NewRecorder returns a Recorder that has heard nothing.
func NewRecorder() *Recorder { return &Recorder{smallest: -1} }

// Emit is the argument of Watch.
func (r *Recorder) Emit(c sd.Change) {
	others := r.emitting.Add(1) - 1
	defer r.emitting.Add(-1)
	r.mu.Lock()
	defer r.mu.Unlock()
	copied := c
	copied.Up, copied.Down = slices.Clone(c.Up), slices.Clone(c.Down)
	r.history = append(r.history, emitted{c, copied})
	if others > 0 {
		r.fault("emit of %+v beside another", c)
	}
	if r.returned {
		r.fault("emit of %+v after Watch returned", c)
	}
	if r.set == nil && !c.Reset {
		r.fault("first emit %+v is not a Reset", c)
	}
	if c.Reset || r.set == nil {
		r.set = map[string]bool{}
	}
	if c.Reset && len(c.Down) > 0 {
		r.fault("Reset %+v has a Down", c)
	}
	for _, s := range c.Down {
		if !r.set[s] {
			r.fault("Down %q was not in the set %q", s, r.names())
		}
		delete(r.set, s)
	}
	for _, s := range c.Up {
		if r.set[s] {
			r.fault("Up %q was in the set already", s)
		}
		r.set[s] = true
	}
	if n := len(r.set); r.smallest < 0 || n < r.smallest {
		r.smallest = n
	}
}

// Returned says that the Watch has returned.
func (r *Recorder) Returned() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.returned = true
}

func (r *Recorder) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf(format, args...))
}

func (r *Recorder) names() []string { return slices.Sorted(maps.Keys(r.set)) }

// Set returns the set as it follows from what was emitted, sorted, and whether
// anything was emitted.
func (r *Recorder) Set() (names []string, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.names(), r.set != nil
}

// Emits counts the calls of Emit.
func (r *Recorder) Emits() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.history)
}

// Smallest is the size of the smallest set there was after any emit; -1 before the first.
func (r *Recorder) Smallest() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.smallest
}

// Err returns what the contract forbids and Watch did, or nil.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	faults := slices.Clone(r.faults)
	for _, e := range r.history {
		if !slices.Equal(e.copied.Up, e.change.Up) || !slices.Equal(e.copied.Down, e.change.Down) {
			faults = append(faults, fmt.Errorf("%+v was changed to %+v after it was emitted", e.copied, e.change))
		}
	}
	return errors.Join(faults...)
}

// neverBelow wants no set smaller than n, and no fault.
func (r *Recorder) neverBelow(n int) error {
	if have := r.Smallest(); have < n {
		return errors.Join(fmt.Errorf("smallest set: want %d, have %d", n, have), r.Err())
	}
	return r.Err()
}

// shows waits until the set that follows from the emits is just want.
func (r *Recorder) shows(h Harness, want ...string) error {
	return eventually(h, func() error {
		have, known := r.Set()
		if !known {
			return errors.New("nothing emitted")
		}
		return errors.Join(equal("watched", want, have), r.Err())
	})
}
