package sdtest

import (
	"errors"
	"fmt"
	"slices"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// What the cases want of a Recorder.

// changes returns what was emitted.
func (r *Recorder) changes() (all []sd.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.history {
		all = append(all, e.change)
	}
	return all
}

// first returns the first change, once there is one.
func (r *Recorder) first() sd.Change { return r.changes()[0] }

// downs counts the departures.
func (r *Recorder) downs() (n int) {
	for _, c := range r.changes() {
		n += len(c.Down)
	}
	return n
}

// policy returns the policy that was told last.
func (r *Recorder) policy() (last sd.PolicyText) {
	for _, c := range r.changes() {
		if c.Policy != nil {
			last = *c.Policy
		}
	}
	return last
}

// showsPolicy waits until the policy that was told last is document.
func (r *Recorder) showsPolicy(h Harness, document string) error {
	return eventually(h, func() error {
		if have := r.policy(); have.Document != document {
			return fmt.Errorf("policy: want %q, have %+v", document, have)
		}
		return r.Err()
	})
}

// showsAttributes waits until the instance says what the entry does. Since is the backend's.
func (r *Recorder) showsAttributes(h Harness, want sd.Entry) error {
	return eventually(h, func() error {
		have := r.saysOf(want.Instance)
		have.Since = want.Attributes.Since
		if !have.Equal(want.Attributes) {
			return fmt.Errorf("attributes of %s: want %v, have %v", want.Instance, want.Attributes,
				have)
		}
		return r.Err()
	})
}

// saysOf returns what an instance says.
func (r *Recorder) saysOf(name string) policy.Attributes {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.says[name]
}

// cameWithAttributes wants the attributes of name in the change that it came in.
func (r *Recorder) cameWithAttributes(name string) error {
	for _, c := range r.changes() {
		if _, ok := c.Attributes[name]; slices.Contains(c.Up, name) && !ok {
			return fmt.Errorf("attributes of %s: want them with the name, have %+v", name, c)
		}
	}
	return nil
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
		return errors.Join(r.Is(want...), r.Err())
	})
}
