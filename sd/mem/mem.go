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

// A Registry holds the entries of one directory. Its methods may be called
// concurrently.
type Registry struct {
	mu      sync.Mutex
	entries map[string]*Backend // and who owns them; nil: another program
	absent  map[string]*Backend // to be withdrawn for this owner when the failure ends
	failure error
	turn    *turn // the present one
}

// A turn is the time between two changes.
type turn struct {
	over chan struct{} // closed at the next change
	err  error         // the failure with which it ended, if any; after over
}

func newTurn() *turn { return &turn{over: make(chan struct{})} }

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{
		entries: map[string]*Backend{},
		absent:  map[string]*Backend{},
		turn:    newTurn(),
	}
}

// Instances returns what is registered, sorted.
func (r *Registry) Instances() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.entries))
}

// Put adds an entry that belongs to another program, or hands an existing one
// over to it.
func (r *Registry) Put(instance string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries[instance] = nil
	r.changed()
}

// Expire removes the entry of instance, whoever owns it, as the end of its
// session would. An Announce that held it returns.
func (r *Registry) Expire(instance string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.entries, instance)
	r.changed()
}

// Fail makes every call in progress and every later one return an error that
// wraps err; the entries stay. Fail(nil) ends that, and carries out the
// withdrawals that were wanted meanwhile.
func (r *Registry) Fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failure = err
	if err == nil {
		for instance, owner := range r.absent {
			r.remove(instance, owner)
		}
		clear(r.absent)
	}
	r.changed()
}

// remove deletes an entry if it is owner's. The caller holds the lock.
func (r *Registry) remove(instance string, owner *Backend) {
	if holder, ok := r.entries[instance]; ok && holder == owner {
		delete(r.entries, instance)
	}
}

// changed wakes every call that waits. The caller holds the lock.
func (r *Registry) changed() {
	r.turn.err = r.failure
	close(r.turn.over)
	r.turn = newTurn()
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

// do runs f under the registry's lock, unless the backend cannot be used, and
// returns the present turn.
func (b *Backend) do(f func(r *Registry)) (*turn, error) {
	r := b.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case b.closed:
		return nil, sd.ErrClosed
	case r.failure != nil:
		return nil, r.failure
	}
	f(r)
	return r.turn, nil
}

// Watch implements sd.Backend.
func (b *Backend) Watch(ctx context.Context, emit func(sd.Change)) error {
	var seen map[string]*Backend
	for ctx.Err() == nil {
		var now map[string]*Backend
		t, err := b.do(func(r *Registry) { now = maps.Clone(r.entries) })
		if err != nil {
			return fmt.Errorf("mem: watch: %w", err)
		}
		if seen == nil {
			emit(sd.Change{Reset: true, Up: slices.Collect(maps.Keys(now))})
		} else if up, down := missing(seen, now), missing(now, seen); len(up)+len(down) > 0 {
			emit(sd.Change{Up: up, Down: down})
		}
		seen = now
		if err := t.wait(ctx); err != nil {
			return fmt.Errorf("mem: watch: %w", err)
		}
	}
	return ctx.Err()
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

// wait returns at the end of the turn, with the failure that has come over the
// registry since, even if that is over by now; or when ctx is done.
func (t *turn) wait(ctx context.Context) error {
	select {
	case <-t.over:
		return t.err
	case <-ctx.Done():
		return nil
	}
}

// Announce implements sd.Backend.
func (b *Backend) Announce(ctx context.Context, instance string, up func()) error {
	if !b.begin(instance) {
		return fmt.Errorf("mem: announce %s: %w: by this backend", instance, sd.ErrConflict)
	}
	defer b.end(instance)
	if err := b.publish(ctx, instance); err != nil {
		return fmt.Errorf("mem: announce %s: %w", instance, err)
	}
	if ctx.Err() == nil {
		up()
	}
	if err := b.hold(ctx, instance); err != nil {
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
func (b *Backend) publish(ctx context.Context, instance string) (err error) {
	if ctx.Err() != nil {
		return nil
	}
	_, doErr := b.do(func(r *Registry) {
		switch owner, exists := r.entries[instance]; {
		case !exists:
			r.entries[instance] = b
			r.changed()
		case owner != b:
			err = sd.ErrConflict
		}
	})
	return errors.Join(doErr, err)
}

// hold returns nil when ctx is done, and an error when the entry is lost.
func (b *Backend) hold(ctx context.Context, instance string) (err error) {
	for ctx.Err() == nil {
		t, doErr := b.do(func(r *Registry) {
			switch owner, exists := r.entries[instance]; {
			case !exists:
				err = errLost
			case owner != b:
				err = sd.ErrConflict
			}
		})
		if err := errors.Join(doErr, err); err != nil {
			return err
		}
		if err := t.wait(ctx); err != nil {
			return err
		}
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
		delete(r.entries, instance)
		r.changed()
	}
	return nil
}

// Close ends every call and withdraws what the backend announced, also while
// the registry fails: its session is over. It returns nil.
func (b *Backend) Close() error {
	r := b.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	b.closed = true
	maps.DeleteFunc(r.entries, func(_ string, owner *Backend) bool { return owner == b })
	r.changed()
	return nil
}
