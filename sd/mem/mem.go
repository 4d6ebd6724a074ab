// Package mem is a registry in memory: the Backend of package sd for unit tests. A [Registry] is a
// plain value that the test makes and shares between the servers and the clients under test;
// nothing is global.
//
// It keeps the contract of sd.Backend, which sdtest executes on it, with attributes and a policy,
// and it fails on demand: [Registry.Expire] and [Registry.Fail]. It runs inside testing/synctest
// bubbles.
package mem

import (
	"maps"
	"slices"
	"sync"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// A Registry holds the entries of one directory, and its policy. Its methods may be called
// concurrently.
type Registry struct {
	mu       sync.Mutex
	entries  map[string]entry
	left     map[string]struct{} // those that withdrew, of the names that have no entry
	absent   map[string]*Backend // to be withdrawn for this owner when the failure ends
	document string              // the policy
	version  int64               // of the policy, counted from 0
	failure  error               // present
	failed   int                 // how often it has begun to fail
	last     error               // the latest failure
	turn     chan struct{}       // closed and replaced at every change
}

// An entry is what is known of an instance.
type entry struct {
	owner      *Backend // nil: another program
	attributes policy.Attributes
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{
		entries: map[string]entry{},
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

// Put adds an entry that belongs to another program, without attributes, or hands an existing one
// over to it.
func (r *Registry) Put(instance string) { r.PutEntry(instance, policy.Attributes{}) }

// PutEntry is Put with attributes.
func (r *Registry) PutEntry(instance string, attributes policy.Attributes) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(instance, entry{attributes: attributes})
}

// SetPolicy replaces the policy, as another program would. An empty document is none.
func (r *Registry) SetPolicy(document string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.document, r.version = document, r.version+1
	r.changed()
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

// Open returns one client of the registry. It owns what it announces.
func (r *Registry) Open() *Backend {
	return &Backend{registry: r, busy: map[string]struct{}{}}
}

// add makes an entry, or hands it over. The caller holds the lock.
func (r *Registry) add(instance string, e entry) {
	r.entries[instance] = e
	delete(r.left, instance)
	r.changed()
}

// withdraw removes an entry if it is owner's. The caller holds the lock.
func (r *Registry) withdraw(instance string, owner *Backend) {
	if e, ok := r.entries[instance]; ok && e.owner == owner {
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

// A view is what a Watch has told.
type view struct {
	entries map[string]entry
	version int64 // of the policy
}

// look returns the registry as it is now, and the difference to seen that want asks for, or the
// whole set if seen is nil. The caller holds the lock.
func (r *Registry) look(seen *view, want sd.Want) (*view, sd.Change) {
	now := &view{maps.Clone(r.entries), r.version}
	c := sd.Change{Reset: seen == nil, Ignored: !want.Policy && r.document != ""}
	if seen == nil {
		seen = &view{}
	} else {
		c.Down = missing(now.entries, seen.entries)
	}
	c.Up = missing(seen.entries, now.entries)
	for _, instance := range c.Down {
		if _, withdrew := r.left[instance]; withdrew {
			c.Withdrew = append(c.Withdrew, instance)
		}
	}
	if want.Attributes {
		c.Attributes = otherAttributes(seen.entries, now.entries)
	}
	if want.Policy && (c.Reset || seen.version != now.version) {
		c.Policy = &sd.PolicyText{Document: r.document, Version: r.version}
	}
	return now, c
}

// missing returns what of all is missing in some.
func missing(some, all map[string]entry) (names []string) {
	for s := range all {
		if _, ok := some[s]; !ok {
			names = append(names, s)
		}
	}
	return names
}

// otherAttributes returns the attributes in now that are others than before.
func otherAttributes(before, now map[string]entry) (others map[string]policy.Attributes) {
	for instance, e := range now {
		if e.attributes.Equal(before[instance].attributes) {
			continue
		}
		if others == nil {
			others = map[string]policy.Attributes{}
		}
		others[instance] = e.attributes
	}
	return others
}
