package fanout

import (
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"example.com/daytime/sd/internal/mailbox"
	"example.com/daytime/sd/policy"
	kitsd "github.com/go-kit/kit/sd"
)

// deliveryPause is the least time between two deliveries to one subscriber. The first change is
// delivered at once. Changes within the pause are merged into one delivery at its end.
const deliveryPause = 100 * time.Millisecond

// A Fanout holds the set and tells its subscribers what it is. Nobody waits for a reader: each has
// a mailbox, whose goroutine fetches what is new when the reader is ready for it.
//
// Its methods may be called concurrently, but KeepHash. The Instancer's loop calls Apply and Index,
// and a timer calls Apply when a line of the policy expires.
type Fanout struct {
	mu        sync.Mutex // held for bookkeeping: not while sorting, delivering, or in Index
	known     bool       // there is a set
	closed    bool
	set       set
	behind    backlog // by which sorted is behind set
	channels  map[chan<- kitsd.Event]*mailbox.Mailbox
	followers map[*follower]struct{}

	// The result of attributes and policy, if Apply was called with an Evaluation.
	effective map[string]policy.Effective // of members that are no bare names; nil: not asked for
	sides     []policy.Side               // nil: nothing is split
	drained   map[string]struct{}         // of effective, those that are
	tally     policy.Tally                // of effective

	sorting sync.Mutex // held while sorting; taken before mu
	sorted  sortedSet  // made when somebody asks, merged after that
}

// A follower is a subscriber to differences.
type follower struct {
	notify  func()           // does not block
	mailbox *mailbox.Mailbox // whose Notify that is; nil for a Reader
	backlog backlog          // guarded by the fanout's lock
}

// New returns a Fanout without a set.
func New() *Fanout {
	return &Fanout{
		behind:    backlog{reset: true},
		channels:  map[chan<- kitsd.Event]*mailbox.Mailbox{},
		followers: map[*follower]struct{}{},
	}
}

// Apply takes c in, with its Evaluation, which is nil if nobody asked for one, and tells every
// subscriber. Readers are also woken when it tells of the policy alone, whose version they may
// want. Index must follow.
func (f *Fanout) Apply(c Change, x *Evaluation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := !f.known
	f.known = true
	diff := f.set.apply(c)
	if x != nil {
		diff.Effective, diff.Sides = f.evaluated(diff, *x)
	}
	if first || !diff.empty() || c.Policy != nil || c.Lacking {
		f.publish(first, diff)
	}
}

// publish tells every subscriber of a difference, or that there is a set now. The caller holds the
// lock.
func (f *Fanout) publish(first bool, diff Change) {
	for s := range f.followers {
		if first {
			s.backlog.addAll()
		}
		s.backlog.add(diff)
		s.backlog.addEffective(diff, &f.set)
		s.notify()
	}
	if f.behind.size()+diff.size() > 64+f.set.size()/8 { // merging would cost more than sorting
		f.behind.addAll()
	}
	f.behind.add(diff)
	for _, m := range f.channels {
		m.Notify()
	}
}

// Index makes the set ready for differences, which takes time after the first one. It lets the
// subscribers that were told of a new set go first, if they can. An Apply beside it does that work
// itself, with the lock held.
func (f *Fanout) Index() {
	f.mu.Lock()
	s := f.set // whose names nobody changes
	f.mu.Unlock()
	if s.members != nil {
		return
	}
	runtime.Gosched()
	members, hash := s.index()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.set.members == nil {
		f.set.adopt(members, hash)
	}
}

// Subscribe has the set sent to ch until Unsubscribe. A channel is subscribed once.
func (f *Fanout) Subscribe(ch chan<- kitsd.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.channels[ch] != nil || f.closed {
		return
	}
	var sent []string // nil: nothing
	m := mailbox.New(deliveryPause, func(m *mailbox.Mailbox) {
		sorted := f.undrained()
		if sent != nil && slices.Equal(sent, sorted) {
			return // it came and went
		}
		select {
		case ch <- kitsd.Event{Instances: slices.Clone(sorted)}:
			sent = sorted
		case <-m.News(): // the set on offer is out of date
			m.Notify()
		case <-m.Quit():
		}
	})
	f.channels[ch] = m
	if f.known {
		m.Notify()
	}
}

// Unsubscribe ends the subscription of ch. Nothing is sent after it returned. It does not wait for
// a reader.
func (f *Fanout) Unsubscribe(ch chan<- kitsd.Event) {
	f.mu.Lock()
	m := f.channels[ch]
	f.mu.Unlock()
	if m == nil {
		return
	}
	m.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.channels[ch] == m { // kept until here, so that every Unsubscribe of ch waits
		delete(f.channels, ch)
	}
}

// Follow has fn called with the set, and then with differences, until the function it returns is
// called, which waits for fn.
func (f *Fanout) Follow(fn func(Change)) (stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return func() {}
	}
	s := &follower{}
	s.mailbox = mailbox.New(deliveryPause, func(*mailbox.Mailbox) {
		if c := f.take(s); c.Reset || !c.empty() {
			fn(c)
		}
	})
	s.notify = s.mailbox.Notify
	f.add(s)
	return func() {
		s.mailbox.Close()
		f.remove(s) // not before, so that Close waits as well
	}
}

// add adds a follower, for which all of the set is new. The caller holds the lock.
func (f *Fanout) add(s *follower) {
	f.followers[s] = struct{}{}
	if f.known {
		s.backlog.addAll()
		s.notify()
	}
}

func (f *Fanout) remove(s *follower) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.followers, s)
}

// take takes the backlog of a follower. With a whole set come the effective values of all of it.
func (f *Fanout) take(s *follower) Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := s.backlog.take(&f.set)
	if c.Reset {
		c.Effective, c.Sides = maps.Clone(f.effective), f.sides
	}
	return c
}

// Instances returns the set, sorted, as a slice that belongs to the caller, nil while there is
// none.
func (f *Fanout) Instances() []string {
	if !f.IsKnown() {
		return nil
	}
	all, _ := f.list()
	return slices.Clone(all)
}

// list returns the set, sorted, as a slice that must not be changed, and who is drained at that
// moment. It is not nil. Before there is a set it is empty.
func (f *Fanout) list() (all []string, drained map[string]struct{}) {
	f.sorting.Lock()
	defer f.sorting.Unlock()
	f.mu.Lock()
	c, drained := f.behind.take(&f.set), maps.Clone(f.drained)
	f.mu.Unlock()
	f.sorted.apply(c)
	return f.sorted.names, drained
}

// Members returns the set in no order, as a slice that must not be changed.
func (f *Fanout) Members() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.set.unsorted()
}

// IsKnown reports whether there is a set.
func (f *Fanout) IsKnown() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known
}

// Size is how many instances there are.
func (f *Fanout) Size() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.set.size()
}

// Close ends every subscription and waits for it. There are no new ones after it. The present ones
// stay known, so that an Unsubscribe beside Close waits for its mailbox too.
func (f *Fanout) Close() {
	f.mu.Lock()
	f.closed = true
	all := slices.Collect(maps.Values(f.channels))
	for s := range f.followers {
		if s.mailbox != nil {
			all = append(all, s.mailbox)
		}
	}
	f.mu.Unlock()
	for _, m := range all {
		m.Close()
	}
}
