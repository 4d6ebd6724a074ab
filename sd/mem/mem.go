// Package mem is a registry in memory: the Backend of package sd for unit
// tests. A [Registry] is a plain value that the test makes and shares between
// the servers and the clients under test; nothing is global.
//
// It keeps the contract of sd.Backend, which sdtest executes on it, and it can
// fail on demand: [Registry.Expire] and [Registry.Fail] do what a real registry
// does at night. It runs inside testing/synctest bubbles.
package mem

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"example.com/daytime/sd"
)

var _ sd.Backend = (*Backend)(nil)

// errLost is why Announce returns when its entry was taken away.
var errLost = errors.New("entry removed")

// A Registry holds the entries of one directory. Its methods may be called concurrently.
type Registry struct {
	mu      sync.Mutex
	entries map[string]*Backend // and who owns them; nil: another program
	left    map[string]struct{} // those that withdrew, of the names that have no entry
	absent  map[string]*Backend // to be withdrawn for this owner when the failure ends
	failure error               // present
	failed  int                 // how often it has begun to fail
	last    error               // the latest failure
	turn    chan struct{}       // closed and replaced at every change
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{
		entries: map[string]*Backend{},
		left:    map[string]struct{}{},
		absent:  map[string]*Backend{},
		turn:    make(chan struct{}),
	}
}

// Instances returns what is registered, sorted.
func (r *Registry) Instances() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.entries))
}

// Put adds an entry that belongs to another program, or hands an existing one over to it.
func (r *Registry) Put(instance string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(instance, nil)
}

// Expire removes the entry of instance, whoever owns it, as the end of its session would: to
// whoever watches, it is lost, while what an Announce withdraws has withdrawn. An Announce that
// held it returns.
func (r *Registry) Expire(instance string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.entries, instance)
	delete(r.left, instance)
	r.changed()
}

// Fail makes every call in progress and every later one return an error that wraps err; the entries
// stay. Fail(nil) ends that, and carries out the withdrawals that were wanted meanwhile.
func (r *Registry) Fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failure = err
	if err != nil {
		r.failed, r.last = r.failed+1, err
	} else {
		for instance, owner := range r.absent {
			r.withdraw(instance, owner)
		}
		clear(r.absent)
	}
	r.changed()
}

// add makes an entry, or hands it over to owner. The caller holds the lock.
func (r *Registry) add(instance string, owner *Backend) {
	r.entries[instance] = owner
	delete(r.left, instance)
	r.changed()
}

// withdraw removes an entry if it is owner's. The caller holds the lock.
func (r *Registry) withdraw(instance string, owner *Backend) {
	if holder, ok := r.entries[instance]; ok && holder == owner {
		delete(r.entries, instance)
		r.left[instance] = struct{}{}
		r.changed()
	}
}

// changed wakes every call that waits. The caller holds the lock.
func (r *Registry) changed() {
	close(r.turn)
	r.turn = make(chan struct{})
}

// Open returns one client of the registry. It owns what it announces.
func (r *Registry) Open() *Backend {
	return &Backend{registry: r, busy: map[string]struct{}{}}
}

// A Backend is one client of a [Registry].
type Backend struct {
	registry *Registry

	// The registry's lock guards these.
	closed bool
	busy   map[string]struct{} // instances that are being announced
}

// A call is one use of a backend. A failure that is over by the time it looks has
// ended it all the same.
type call struct {
	*Backend
	failed int // of the registry, when the call began
}

func (b *Backend) newCall() call {
	b.registry.mu.Lock()
	defer b.registry.mu.Unlock()
	return call{b, b.registry.failed}
}

// do runs f under the registry's lock, unless the registry has failed or the
// backend is closed, and returns what to wait on for the next change.
func (c call) do(f func(r *Registry)) (<-chan struct{}, error) {
	r := c.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case c.closed:
		return nil, sd.ErrClosed
	case r.failure != nil:
		return nil, r.failure
	case r.failed != c.failed:
		return nil, r.last
	}
	f(r)
	return r.turn, nil
}

// Watch implements sd.Backend.
func (b *Backend) Watch(ctx context.Context, _ sd.Want, emit func(sd.Change)) error {
	c := b.newCall()
	var seen map[string]*Backend
	for ctx.Err() == nil {
		var now map[string]*Backend
		var change sd.Change
		turn, err := c.do(func(r *Registry) {
			now = maps.Clone(r.entries)
			change = r.since(seen)
		})
		if err != nil {
			return fmt.Errorf("mem: watch: %w", err)
		}
		if change.Reset || len(change.Up)+len(change.Down) > 0 {
			emit(change)
		}
		seen = now
		wait(ctx, turn)
	}
	return ctx.Err()
}

// since returns the difference to the entries as they were, or the whole set if they were nil. The
// caller holds the lock.
func (r *Registry) since(seen map[string]*Backend) (c sd.Change) {
	if seen == nil {
		return sd.Change{Reset: true, Up: slices.Collect(maps.Keys(r.entries))}
	}
	c.Up, c.Down = missing(seen, r.entries), missing(r.entries, seen)
	for _, instance := range c.Down {
		if _, withdrew := r.left[instance]; withdrew {
			c.Withdrew = append(c.Withdrew, instance)
		}
	}
	return c
}

// missing returns what of set is missing in from.
func missing(from, set map[string]*Backend) (names []string) {
	for s := range set {
		if _, ok := from[s]; !ok {
			names = append(names, s)
		}
	}
	return names
}

func wait(ctx context.Context, turn <-chan struct{}) {
	select {
	case <-turn:
	case <-ctx.Done():
	}
}

// Announce implements sd.Backend.
func (b *Backend) Announce(ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
	instance := entry.Instance
	if !b.begin(instance) {
		return fmt.Errorf("mem: announce %s: %w: by this backend", instance, sd.ErrConflict)
	}
	defer b.end(instance)
	c := b.newCall()
	if err := c.publish(ctx, instance); err != nil {
		return fmt.Errorf("mem: announce %s: %w", instance, err)
	}
	if ctx.Err() == nil {
		told(sd.Status{Phase: sd.Registered})
	}
	if err := c.hold(ctx, instance); err != nil {
		return fmt.Errorf("mem: announce %s: %w", instance, err)
	}
	if err := b.withdraw(instance); err != nil {
		return fmt.Errorf("mem: withdraw %s: %w: %w: %w", instance, sd.ErrUnconfirmed, err, ctx.Err())
	}
	return ctx.Err()
}

// begin notes that an Announce of instance is under way, unless one is.
func (b *Backend) begin(instance string) bool {
	b.registry.mu.Lock()
	defer b.registry.mu.Unlock()
	if _, twice := b.busy[instance]; twice {
		return false
	}
	b.busy[instance] = struct{}{}
	return true
}

func (b *Backend) end(instance string) {
	b.registry.mu.Lock()
	defer b.registry.mu.Unlock()
	delete(b.busy, instance)
}

// publish makes the entry, or finds that it is there already.
func (c call) publish(ctx context.Context, instance string) (err error) {
	if ctx.Err() != nil {
		return nil
	}
	_, doErr := c.do(func(r *Registry) {
		switch owner, exists := r.entries[instance]; {
		case !exists:
			r.add(instance, c.Backend)
		case owner != c.Backend:
			err = sd.ErrConflict
		}
	})
	return errors.Join(doErr, err)
}

// hold returns nil when ctx is done, and an error when the entry is lost.
func (c call) hold(ctx context.Context, instance string) (err error) {
	for ctx.Err() == nil {
		turn, doErr := c.do(func(r *Registry) {
			switch owner, exists := r.entries[instance]; {
			case !exists:
				err = errLost
			case owner != c.Backend:
				err = sd.ErrConflict
			}
		})
		if err := errors.Join(doErr, err); err != nil {
			return err
		}
		wait(ctx, turn)
	}
	return nil
}

// withdraw removes the entry if it is this backend's, or, while the registry
// fails, leaves word that it should be.
func (b *Backend) withdraw(instance string) error {
	r := b.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	owner, exists := r.entries[instance]
	ours := exists && owner == b
	switch {
	case b.closed: // Close has removed it
		return nil
	case r.failure != nil && ours:
		r.absent[instance] = b
		return r.failure
	case r.failure != nil:
		return r.failure
	case ours:
		r.withdraw(instance, b)
	}
	return nil
}

// Close ends every call and removes what the backend announced, also while the registry fails: its
// session is over. To whoever watches, these entries are lost. It returns nil.
func (b *Backend) Close() error {
	r := b.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	b.closed = true
	maps.DeleteFunc(r.entries, func(_ string, owner *Backend) bool { return owner == b })
	r.changed()
	return nil
}
