package sd

import (
	"maps"
	"runtime"
	"slices"
	"sync"

	"example.com/daytime/sd/policy"
	kitsd "github.com/go-kit/kit/sd"
)

// A fanout holds the set and tells its subscribers what it is. Nobody waits for a reader: each has
// a mailbox, whose goroutine fetches what is new when the reader is ready for it.
//
// One goroutine, the Instancer's loop, calls apply and index. Everything else may be called
// concurrently.
type fanout struct {
	mu        sync.Mutex // held for bookkeeping only: not while sorting, indexing or delivering
	known     bool       // there is a set
	closed    bool
	set       set
	behind    pending // by which sorted is behind set
	channels  map[chan<- kitsd.Event]*mailbox
	followers map[*follower]struct{}

	// What attributes and policy come to, if that was asked for.
	effective map[string]policy.Effective // of members that are no bare names; nil: not asked for
	sides     []policy.Side               // nil: nothing is split
	drained   map[string]struct{}         // of effective, those that are
	tally     policy.Tally                // of effective

	sorting sync.Mutex // held while sorting; taken before mu
	sorted  sortedSet  // made when somebody asks, merged after that
}

// A follower is a subscriber to differences.
type follower struct {
	mailbox *mailbox
	pending pending // guarded by the fanout's lock
}

func newFanout() *fanout {
	return &fanout{
		behind:    pending{reset: true},
		channels:  map[chan<- kitsd.Event]*mailbox{},
		followers: map[*follower]struct{}{},
	}
}

// apply takes c in, with what attributes and policy make of it if that was asked for, and tells every
// subscriber. Index must follow.
func (f *fanout) apply(c Change, x *evaluation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := !f.known
	f.known = true
	diff := f.set.apply(c)
	if x != nil {
		diff.Effective, diff.Sides = f.evaluated(diff, *x)
	}
	if first || !diff.empty() {
		f.publish(first, diff)
	}
}

// evaluated takes in what attributes and policy come to after diff, and returns what changed by that.
// The caller holds the lock.
func (f *fanout) evaluated(diff Change, x evaluation) (map[string]policy.Effective, []policy.Side) {
	if f.effective == nil {
		f.effective, f.drained = map[string]policy.Effective{}, map[string]struct{}{}
	}
	for _, name := range diff.Down {
		f.note(name, bareName)
	}
	changed := map[string]policy.Effective{}
	for _, name := range x.names {
		v, ok := x.values[name]
		if !ok {
			v = bareName
		}
		if f.set.has(name) && f.note(name, v) {
			changed[name] = v
		}
	}
	if slices.Equal(f.sides, x.sides) {
		return changed, nil
	}
	f.sides = x.sides
	return changed, append([]policy.Side{}, x.sides...)
}

// publish tells every subscriber of a difference, or that there is a set now. The caller holds the
// lock.
func (f *fanout) publish(first bool, diff Change) {
	for s := range f.followers {
		if first {
			s.pending.addAll()
		}
		s.pending.add(diff)
		s.pending.addEffective(diff)
		s.mailbox.notify()
	}
	if f.behind.size()+diff.size() > 64+f.set.size()/8 { // merging would cost more than sorting
		f.behind.addAll()
	}
	f.behind.add(diff)
	for _, m := range f.channels {
		m.notify()
	}
}

// note makes v what name comes to, and reports whether that is new. The caller holds the lock.
func (f *fanout) note(name string, v policy.Effective) bool {
	old, special := f.effective[name]
	if !special {
		old = bareName
	}
	if v == old {
		return false
	}
	if special {
		f.tally.Remove(old)
		delete(f.effective, name)
		delete(f.drained, name)
	}
	if v != bareName {
		f.tally.Add(v)
		f.effective[name] = v
	}
	if v.Drained {
		f.drained[name] = struct{}{}
	}
	return true
}

// tallied counts the set.
func (f *fanout) tallied() policy.Tally {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.tally
	bare := f.set.size() - t.Instances
	t.Instances, t.Weighted = t.Instances+bare, t.Weighted+bare
	return t
}

// index makes the set ready for differences, which takes time after the first one. It lets those
// who were told of a new set go first, if they can.
func (f *fanout) index() {
	if f.set.members != nil { // only this goroutine changes the set
		return
	}
	runtime.Gosched()
	members := f.set.index()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.set.adopt(members)
}

// subscribe has the set sent to ch until unsubscribe. A channel is subscribed once.
func (f *fanout) subscribe(ch chan<- kitsd.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.channels[ch] != nil || f.closed {
		return
	}
	var sent []string // nil: nothing
	m := newMailbox(deliveryPause, func(m *mailbox) {
		sorted := f.undrained()
		if sent != nil && slices.Equal(sent, sorted) {
			return // it came and went
		}
		select {
		case ch <- kitsd.Event{Instances: slices.Clone(sorted)}:
			sent = sorted
		case <-m.news: // the set on offer is out of date
			m.notify()
		case <-m.quit:
		}
	})
	f.channels[ch] = m
	if f.known {
		m.notify()
	}
}

// unsubscribe ends the subscription of ch. Nothing is sent after it returned. It does not wait for
// a reader.
func (f *fanout) unsubscribe(ch chan<- kitsd.Event) {
	f.mu.Lock()
	m := f.channels[ch]
	f.mu.Unlock()
	if m == nil {
		return
	}
	m.close()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.channels[ch] == m { // kept until here, so that every unsubscribe of ch waits
		delete(f.channels, ch)
	}
}

// follow has fn called with the set, and then with differences, until the function it returns is
// called, which waits for fn.
func (f *fanout) follow(fn func(Change)) (stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return func() {}
	}
	s := &follower{}
	s.mailbox = newMailbox(deliveryPause, func(*mailbox) {
		if c := f.takeAll(&s.pending); c.Reset || !c.empty() {
			fn(c)
		}
	})
	f.followers[s] = struct{}{}
	if f.known {
		s.pending.addAll()
		s.mailbox.notify()
	}
	return func() {
		s.mailbox.close()
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.followers, s) // not before, so that close waits as well
	}
}

// takeAll empties what is pending for a follower. To a whole set belongs what all of it comes to.
func (f *fanout) takeAll(p *pending) Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := p.take(&f.set)
	if c.Reset {
		c.Effective, c.Sides = maps.Clone(f.effective), f.sides
	}
	return c
}

// take empties p.
func (f *fanout) take(p *pending) Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	return p.take(&f.set)
}

// instances returns the set, sorted, as a slice that belongs to the caller, nil while there is
// none.
func (f *fanout) instances() []string {
	if !f.isKnown() {
		return nil
	}
	return slices.Clone(f.list())
}

// list returns the set, sorted, as a slice that must not be changed. It is not nil. Before there is
// a set it is empty.
func (f *fanout) list() []string {
	f.sorting.Lock()
	defer f.sorting.Unlock()
	f.sorted.apply(f.take(&f.behind))
	return f.sorted.names
}

// members returns the set in no order, as a slice that must not be changed.
func (f *fanout) members() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.set.unsorted()
}

// undrained returns the list without those that are drained, unless all are.
func (f *fanout) undrained() []string {
	all := f.list()
	f.mu.Lock()
	drained := maps.Clone(f.drained)
	f.mu.Unlock()
	if len(drained) == 0 {
		return all
	}
	isDrained := func(name string) bool { return has(drained, name) }
	if rest := slices.DeleteFunc(slices.Clone(all), isDrained); len(rest) > 0 {
		return rest
	}
	return all
}

// isKnown reports whether there is a set.
func (f *fanout) isKnown() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known
}

func (f *fanout) size() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.set.size()
}

// close ends every subscription and waits for it. There are no new ones after it. The present ones
// stay known, so that an unsubscribe beside close waits for its mailbox too.
func (f *fanout) close() {
	f.mu.Lock()
	f.closed = true
	all := slices.Collect(maps.Values(f.channels))
	for s := range f.followers {
		all = append(all, s.mailbox)
	}
	f.mu.Unlock()
	for _, m := range all {
		m.close()
	}
}
