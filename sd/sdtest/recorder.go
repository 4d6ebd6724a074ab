package sdtest

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// A Recorder takes what a Watch emits, keeps the set that follows from it, and finds what the
// contract forbids: a difference before the first Reset, one that is not exact, a name that stands
// in Up and Down, two emits at a time, an emit after the return, a change that changes afterwards.
type Recorder struct {
	emitting atomic.Int32
	want     sd.Want // of the Watch

	mu       sync.Mutex
	returned bool
	history  []emitted
	set      map[string]bool
	left     map[string]bool // those who left and are not back; true: withdrew
	says     map[string]policy.Attributes
	smallest int         // since the mark
	departed [2][]string // since the mark, whether or not they came back: lost, withdrew
	marked   int         // len(history) at the mark
	faults   []error
}

// An emitted is a change, and what it was when it was emitted.
type emitted struct{ change, copied sd.Change }

// NewRecorder returns a Recorder that has heard nothing.
func NewRecorder() *Recorder {
	return &Recorder{smallest: -1, left: map[string]bool{}, says: map[string]policy.Attributes{}}
}

// Emit is the argument of Watch.
func (r *Recorder) Emit(c sd.Change) {
	others := r.emitting.Add(1) - 1
	defer r.emitting.Add(-1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history = append(r.history, emitted{c, copyOf(c)})
	if others > 0 {
		r.fault("emit of %+v beside another", c)
	}
	if r.returned {
		r.fault("emit of %+v after Watch returned", c)
	}
	if r.set == nil && !c.Reset {
		r.fault("first emit %+v is not a Reset", c)
	}
	if first := r.set == nil; first && r.want.Policy && c.Policy == nil && !c.Lacking.Policy {
		r.fault("first Reset %+v has no policy, and does not say that it lacks one", c)
	}
	if c.Effective != nil || c.Sides != nil {
		r.fault("%+v evaluates the policy, which is not for a backend to do", c)
	}
	r.take(c)
	r.takeAttributes(c)
	if n := len(r.set); r.smallest < 0 || n < r.smallest {
		r.smallest = n
	}
}

// copyOf shares nothing with c, of what a backend tells.
func copyOf(c sd.Change) sd.Change {
	c.Up, c.Down = slices.Clone(c.Up), slices.Clone(c.Down)
	c.Withdrew, c.Unread = slices.Clone(c.Withdrew), slices.Clone(c.Unread)
	c.Attributes = maps.Clone(c.Attributes)
	for name, a := range c.Attributes {
		a.Tags = maps.Clone(a.Tags)
		c.Attributes[name] = a
	}
	if c.Policy != nil {
		text := *c.Policy
		c.Policy = &text
	}
	return c
}

// take makes the change. The caller holds the lock.
func (r *Recorder) take(c sd.Change) {
	if c.Reset || r.set == nil {
		up := slices.Clone(c.Up)
		slices.Sort(up)
		for s := range r.set {
			if _, stays := slices.BinarySearch(up, s); !stays {
				r.depart(s, false)
			}
		}
		r.set = map[string]bool{}
	}
	if c.Reset && len(c.Down)+len(c.Withdrew) > 0 {
		r.fault("Reset %+v has a Down or a Withdrew", c)
	}
	withdrew := map[string]bool{}
	for _, s := range c.Withdrew {
		if withdrew[s] || !slices.Contains(c.Down, s) {
			r.fault("Withdrew %q is not in Down %q, or stands twice", s, c.Down)
		}
		withdrew[s] = true
	}
	down := map[string]bool{}
	for _, s := range c.Down {
		if !r.set[s] {
			r.fault("Down %q was not in the set %q", s, r.names())
		}
		delete(r.set, s)
		down[s] = true
		r.depart(s, withdrew[s])
	}
	for _, s := range c.Up {
		if r.set[s] || down[s] {
			r.fault("Up %q was in the set already", s)
		}
		r.set[s] = true
		delete(r.left, s)
	}
}

// takeAttributes notes what the instances say of themselves. The caller holds the lock.
func (r *Recorder) takeAttributes(c sd.Change) {
	if c.Reset {
		clear(r.says)
	}
	for _, s := range c.Down {
		delete(r.says, s)
	}
	for _, s := range slices.Concat(c.Unread, slices.Collect(maps.Keys(c.Attributes))) {
		if !r.set[s] {
			r.fault("attributes of %q, which is not in the set %q", s, r.names())
		}
	}
	maps.Copy(r.says, c.Attributes)
}

// depart notes that s left. The caller holds the lock.
func (r *Recorder) depart(s string, withdrew bool) {
	r.left[s] = withdrew
	how := 0
	if withdrew {
		how = 1
	}
	r.departed[how] = append(r.departed[how], s)
}

// Mark begins a new reckoning: Emits, Smallest and Departed are about what comes after it.
func (r *Recorder) Mark() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marked, r.departed = len(r.history), [2][]string{}
	r.smallest = -1
	if r.set != nil {
		r.smallest = len(r.set)
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

// Left returns those who left and are not back, sorted: those who withdrew and those who were lost.
// Whoever is missing in a Reset was lost.
func (r *Recorder) Left() (withdrew, lost []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range slices.Sorted(maps.Keys(r.left)) {
		if r.left[s] {
			withdrew = append(withdrew, s)
		} else {
			lost = append(lost, s)
		}
	}
	return withdrew, lost
}

// Departed returns those who withdrew and those who were lost since the mark, once for each time,
// whether or not they came back.
func (r *Recorder) Departed() (withdrew, lost []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.departed[1]), slices.Clone(r.departed[0])
}

// Is returns an error unless the set is just want.
func (r *Recorder) Is(want ...string) error {
	have, known := r.Set()
	if !known {
		return fmt.Errorf("watched: want %q, have nothing emitted", want)
	}
	return Same("watched", want, have)
}

// Has reports whether instance is in the set.
func (r *Recorder) Has(instance string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.set[instance]
}

// Sets returns the sets there were after each emit since the first, sorted.
func (r *Recorder) Sets() (all [][]string) {
	replayed := NewRecorder()
	for _, c := range r.changes() {
		replayed.Emit(c)
		names, _ := replayed.Set()
		all = append(all, names)
	}
	return all
}

// Emits counts the calls of Emit since the mark.
func (r *Recorder) Emits() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.history) - r.marked
}

// Smallest is the size of the smallest set there was since the mark; -1 before the first emit.
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
		if !reflect.DeepEqual(e.copied, e.change) {
			faults = append(faults, fmt.Errorf("%+v was changed to %+v after it was emitted",
				e.copied, e.change))
		}
	}
	return errors.Join(faults...)
}
