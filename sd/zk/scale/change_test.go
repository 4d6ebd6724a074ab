package scale

import (
	"math/rand/v2"
	"testing"
	"time"
)

const (
	// quiet is between two changes of one directory: a subscriber is told at most every 100 ms, and an
	// isolated change is what is measured.
	quiet = 110 * time.Millisecond
	// settled is how long after a list a change is an ordinary one: for a second a delete may be half
	// of a takeover whose other half the list has missed, which takes a request to tell.
	settled = 1100 * time.Millisecond
	// trail is what a watcher may still have to do after it has a change; its processor time counts.
	trail = time.Millisecond
)

// What one create and one delete take, in microseconds: from the ack, and from sending the request,
// until the watcher has it; and the processor time of this process meanwhile, which includes the
// registrant's, the same for all.
func BenchmarkChange(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		f := newFleet(b, n)
		var all []*entrant
		for _, c := range contenders() {
			if !c.sitsOut(n, 0) {
				all = append(all, f.enter(b, c))
			}
		}
		seen := tally{}
		round := 0
		for b.Loop() {
			for _, up := range []bool{true, false} {
				for _, e := range shuffled(all) {
					if !e.sitsOut(n, round) {
						e.turn(b, f, up, seen)
					}
				}
			}
			round++
		}
		seen.report(b, "create-us", "delete-us", "sent-create-us", "sent-delete-us", "cpu-us")
		for _, kind := range []string{"create-us", "delete-us", "sent-create-us", "sent-delete-us"} {
			seen.ratio(b, "kit", "follow", kind)
			seen.ratio(b, "follow", "event", kind)
			seen.ratio(b, "pool", "event", kind)
		}
	})
}

// shuffled returns list in another order each time, so that nobody always comes after the same one.
func shuffled[T any](list []T) []T {
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// An entrant is a contender that watches a directory.
type entrant struct {
	contender
	*watcher
	path string
	last time.Time // when it had a change
}

// enter has c watch a directory of its own until the end of the test.
func (f *fleet) enter(tb testing.TB, c contender) *entrant {
	e := &entrant{contender: c, path: "/" + c.name}
	f.directory(tb, e.path)
	e.watcher = c.open(tb, f, f.server.Addr(), e.path)
	tb.Cleanup(e.close)
	e.cold(tb)
	return e
}

// turn makes one change and measures it.
func (e *entrant) turn(b *testing.B, f *fleet, up bool, seen tally) {
	c := change{e.path, instance(f.n), up}
	kind := "delete-us"
	if up {
		kind = "create-us"
	}
	time.Sleep(time.Until(e.last.Add(quiet)))
	used := processorTime(b)
	sent, acked := f.apply(b, c)
	e.last = e.await(b, c)
	time.Sleep(trail)
	seen.add(e.name, "cpu-us", micros(processorTime(b)-used))
	seen.add(e.name, kind, micros(e.last.Sub(acked)))
	seen.add(e.name, "sent-"+kind, micros(e.last.Sub(sent)))
}
