package mem

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/policy/gate"
)

var _ sd.PolicyStore = (*Backend)(nil)

// errLost is why Announce returns when its entry was taken away.
var errLost = errors.New("entry removed")

// A Backend is one client of a [Registry].
type Backend struct {
	registry *Registry

	// The registry's lock guards these.
	closed bool
	busy   map[string]struct{} // instances that are being announced
}

// A call is one use of a backend. A failure that is over by the time it looks has ended it all the
// same.
type call struct {
	*Backend
	failed int // of the registry, when the call began
}

func (b *Backend) newCall() call {
	b.registry.mu.Lock()
	defer b.registry.mu.Unlock()
	return call{b, b.registry.failed}
}

// do runs f under the registry's lock, unless the registry has failed or the backend is closed, and
// returns what to wait on for the next change.
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
func (b *Backend) Watch(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	c := b.newCall()
	var seen *view
	for ctx.Err() == nil {
		var change sd.Change
		turn, err := c.do(func(r *Registry) { seen, change = r.look(seen, want) })
		if err != nil {
			return fmt.Errorf("mem: watch: %w", err)
		}
		if isNews(change) {
			emit(change)
		}
		select {
		case <-turn:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

func isNews(c sd.Change) bool {
	return c.Reset || c.Policy != nil || len(c.Up)+len(c.Down)+len(c.Attributes) > 0
}

// ReadPolicy implements sd.PolicyStore.
func (b *Backend) ReadPolicy(ctx context.Context) (document string, version int64, err error) {
	if err := ctx.Err(); err != nil {
		return "", 0, err
	}
	if _, err := b.newCall().do(func(r *Registry) {
		document, version = r.document,
			r.version
	}); err != nil {
		return "", 0, fmt.Errorf("mem: read the policy: %w", err)
	}
	return document, version, nil
}

// WritePolicy implements sd.PolicyStore.
func (b *Backend) WritePolicy(ctx context.Context, document string, version int64) error {
	err := ctx.Err()
	if err != nil {
		return err
	}
	_, doErr := b.newCall().do(func(r *Registry) {
		if r.version != version {
			err = fmt.Errorf("%w: version %d, and not %d", sd.ErrOutdated, r.version, version)
			return
		}
		r.document, r.version = document, r.version+1
		r.changed()
	})
	if err := errors.Join(doErr, err); err != nil {
		return fmt.Errorf("mem: write the policy: %w", err)
	}
	return nil
}

// Announce implements sd.Backend.
func (b *Backend) Announce(ctx context.Context, e sd.Entry, told func(sd.Status)) error {
	if !b.begin(e.Instance) {
		return fmt.Errorf("mem: announce %s: %w: by this backend", e.Instance, sd.ErrConflict)
	}
	defer b.end(e.Instance)
	e.Attributes.Since = time.Now()
	a := &announcement{call: b.newCall(), Entry: e, told: told}
	for ctx.Err() == nil {
		if err := a.reconcile(ctx); err != nil {
			return fmt.Errorf("mem: announce %s: %w", e.Instance, err)
		}
	}
	if err := b.withdraw(e.Instance); err != nil {
		return fmt.Errorf("mem: withdraw %s: %w: %w: %w", e.Instance, sd.ErrUnconfirmed, err,
			ctx.Err())
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

// An announcement is one call of Announce.
type announcement struct {
	call
	sd.Entry
	told      func(sd.Status)
	gate      gate.Gate
	published bool
	status    sd.Status // told last
}

// reconcile makes the entry what it should be and waits until that may be something else. It
// returns an error when the entry is lost.
func (a *announcement) reconcile(ctx context.Context) (err error) {
	var status sd.Status
	var again time.Time
	turn, doErr := a.do(func(r *Registry) { status, again, err = a.update(r) })
	if err := errors.Join(doErr, err); err != nil {
		return err
	}
	if status.Phase != a.status.Phase || fmt.Sprint(status.Err) != fmt.Sprint(a.status.Err) {
		a.status = status
		a.told(status)
	}
	var expired <-chan time.Time
	if !again.IsZero() {
		timer := time.NewTimer(time.Until(again))
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-turn:
	case <-expired:
	case <-ctx.Done():
	case attributes, open := <-a.Changes:
		if !open {
			a.Changes = nil
			break
		}
		attributes.Since = a.Attributes.Since
		a.Attributes = attributes
	}
	return nil
}

// update publishes the entry, or withdraws it while the policy withholds it, which is no conflict
// with another's.
func (a *announcement) update(r *Registry) (status sd.Status, again time.Time, err error) {
	a.gate.SetPolicy(r.document) // of an unreadable one nothing is believed
	again, why := a.gate.Withheld(policy.Entry{Instance: a.Instance, Attributes: a.Attributes},
		time.Now())
	present, exists := r.entries[a.Instance]
	switch {
	case why != nil:
		r.withdraw(a.Instance, a.Backend)
		a.published = false
		return sd.Status{Phase: sd.Withheld, Err: why}, again, nil
	case exists && present.owner != a.Backend:
		return status, again, sd.ErrConflict
	case !exists && a.published:
		return status, again, errLost
	case !exists || !present.attributes.Equal(a.Attributes):
		r.add(a.Instance, entry{a.Backend, a.Attributes})
	}
	a.published = true
	return sd.Status{Phase: sd.Registered}, again, nil
}

// withdraw removes the entry if it is this backend's, or, while the registry fails, leaves word
// that it should be.
func (b *Backend) withdraw(instance string) error {
	r := b.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	e, exists := r.entries[instance]
	ours := exists && e.owner == b
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
	maps.DeleteFunc(r.entries, func(_ string, e entry) bool { return e.owner == b })
	r.changed()
	return nil
}
