package sd

import (
	"slices"

	kitsd "github.com/go-kit/kit/sd"
)

// Register subscribes ch. The last set, if one is known, is sent at once. A
// reader that is slow finds the newest set when it is ready, and delays nobody
// else. Registering a channel twice is the same as once.
func (i *Instancer) Register(ch chan<- kitsd.Event) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, twice := i.channels[ch]; twice || i.stopped {
		return
	}
	var sent []string // nil: nothing
	m := newMailbox(func(m *mailbox) {
		sorted := i.sorted()
		if sent != nil && slices.Equal(sent, sorted) {
			return // who came has left again
		}
		select {
		case ch <- kitsd.Event{Instances: slices.Clone(sorted)}:
			sent = sorted
		case <-m.news: // the set that nobody took yet is out of date
			m.notify()
		case <-m.quit:
		}
	})
	i.channels[ch] = m
	if i.known {
		m.notify()
	}
}

// list returns the set, sorted, as a slice that belongs to the caller.
func (i *Instancer) list() []string { return slices.Clone(i.sorted()) }

// sorted returns the set, sorted, as a slice that nobody may change. It is not
// nil.
func (i *Instancer) sorted() []string {
	i.listing.mu.Lock()
	defer i.listing.mu.Unlock()
	i.listing.update(i.take(&i.listing.feed))
	return i.listing.sorted
}

// Deregister ends the subscription of ch. After it returned nothing is sent, so
// the caller may close ch. It does not wait for a reader.
func (i *Instancer) Deregister(ch chan<- kitsd.Event) {
	i.mu.Lock()
	m := i.channels[ch]
	i.mu.Unlock()
	if m == nil {
		return
	}
	m.close()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.channels[ch] == m { // kept until here, so that every Deregister waits
		delete(i.channels, ch)
	}
}

// Follow subscribes fn to differences, which cost the change and not the size
// of the set. Fn is called first with a Reset, as soon as a set is known, then with exact differences; what happens while fn runs is
// merged. The calls come from one goroutine. The slices may be kept, but not
// changed. Stop ends the subscription: fn is not running after it returned, so
// fn itself must not call it.
func (i *Instancer) Follow(fn func(Change)) (stop func()) {
	f := &feed{}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.stopped {
		return func() {}
	}
	f.mailbox = newMailbox(func(*mailbox) {
		if reset, up, down := i.take(f); reset || len(up)+len(down) > 0 {
			fn(Change{Reset: reset, Up: up, Down: down})
		}
	})
	i.feeds[f] = struct{}{}
	if i.known {
		f.add(true, nil, nil)
		f.mailbox.notify()
	}
	return func() {
		f.mailbox.close()
		i.mu.Lock()
		defer i.mu.Unlock()
		delete(i.feeds, f) // not before, so that Stop waits as well
	}
}

// A feed is what one follower has not been told yet. The Instancer's lock
// guards it.
type feed struct {
	mailbox  *mailbox
	reset    bool // the follower needs the whole set, as it is when it is fetched
	up, down map[string]struct{}
}

// add merges a difference, or the wish for the whole set, into the feed.
func (f *feed) add(reset bool, up, down []string) {
	if f.reset = f.reset || reset; f.reset {
		f.up, f.down = nil, nil
		return
	}
	if f.up == nil {
		f.up, f.down = map[string]struct{}{}, map[string]struct{}{}
	}
	move(down, f.up, f.down)
	move(up, f.down, f.up)
}

// move takes names out of from or, where they are not in it, puts them into to:
// an instance that came and went since the last delivery is no news.
func move(names []string, from, to map[string]struct{}) {
	for _, s := range names {
		if _, ok := from[s]; ok {
			delete(from, s)
		} else {
			to[s] = struct{}{}
		}
	}
}

// take empties f.
func (i *Instancer) take(f *feed) (reset bool, up, down []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if reset = f.reset; reset {
		up = i.roster.unsorted()
	} else {
		up, down = names(f.up), names(f.down)
	}
	f.reset, f.up, f.down = false, nil, nil
	return reset, up, down
}

func names(set map[string]struct{}) []string {
	list := make([]string, 0, len(set))
	for s := range set {
		list = append(list, s)
	}
	return list
}
