package zk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// A directory follows the children of one znode for any number of readers: one
// watch and one list serve them all. It begins with the first reader. When the
// last has gone it rests at the next change; with a persistent watch it goes on,
// because events come until the link ends.
type directory struct {
	session *session.Session
	parent  string
	mode    watchMode
	joined  chan struct{} // capacity 1: a reader has joined
	done    chan struct{} // closed when the directory's goroutine has ended
	lists   atomic.Int64
	mended  atomic.Int64 // how often an audit found something missing
	queue   queue

	mu      sync.Mutex
	readers map[*reader]struct{}
	live    bool                // set is vouched for
	set     map[string]struct{} // kept while it is not, to know its size
	fresh   []string            // in place of set, until that is made
	using   watchMode

	// Only the directory's goroutine uses what follows.
	newest   gozk.Stat // of the parent, as of the newest list
	era      int64     // of the data that newest is about
	outdated time.Time // since when servers answer from an older state; zero if not
}

// mostMissed is how often events may be missing before persistent watches are
// given up for the directory, where the target leaves the choice to us. They
// tell nothing of a child that this client may not read (CVE-2024-23944), though
// the list names it; a watch for children does.
const mostMissed = 2

func newDirectory(k *session.Session, c config) *directory {
	return &directory{
		session: k,
		parent:  c.parent,
		mode:    c.watch,
		joined:  make(chan struct{}, 1),
		done:    make(chan struct{}),
		queue:   queue{parent: c.parent, news: make(chan struct{}, 1)},
		readers: map[*reader]struct{}{},
	}
}

// whole returns the set. The caller holds the lock.
func (d *directory) whole() []string {
	if d.set == nil {
		return d.fresh
	}
	return slices.Collect(maps.Keys(d.set))
}

// publish makes c the next change of every reader.
func (d *directory) publish(c sd.Change) {
	d.mu.Lock()
	d.keep(c)
	for r := range d.readers {
		r.tell(c)
	}
	d.mu.Unlock()
	if c.Reset {
		d.index(c.Up)
	}
}

// keep takes c in. The caller holds the lock.
func (d *directory) keep(c sd.Change) {
	if c.Reset {
		d.live, d.fresh, d.set = true, c.Up, nil
		return
	}
	for _, s := range c.Down {
		delete(d.set, s)
	}
	for _, s := range c.Up {
		d.set[s] = struct{}{}
	}
}

// index makes the set of a list. It lets the readers go first, if they can.
func (d *directory) index(names []string) {
	runtime.Gosched()
	set := make(map[string]struct{}, len(names))
	for _, s := range names {
		set[s] = struct{}{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fresh, d.set = nil, set
}

// fail ends the Watch of every reader with err.
func (d *directory) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.live = false
	for r := range d.readers {
		r.reset, r.err = false, fmt.Errorf("zk: watch %s: %w", d.parent, err)
		r.notify()
	}
}

// size is how many children there were when that was last known.
func (d *directory) size() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.set)
}

// watching says how the directory is watched now.
func (d *directory) watching() watchMode {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.using
}

// setUsing notes how the directory is watched now.
func (d *directory) setUsing(persistent bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.using = watchChildren
	if persistent {
		d.using = watchPersistent
	}
}

// idle reports whether nobody reads.
func (d *directory) idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.readers) == 0
}

// rest reports whether nobody reads. Then the set is not vouched for any more:
// whoever joins after this waits for a list.
func (d *directory) rest() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.live = d.live && len(d.readers) > 0
	return len(d.readers) == 0
}

// run follows the directory whenever somebody reads, until ctx is done.
func (d *directory) run(ctx context.Context) {
	defer close(d.done)
	for ctx.Err() == nil {
		if d.idle() {
			select {
			case <-d.joined:
			case <-ctx.Done():
			}
			continue
		}
		l, err := d.session.Wait(ctx)
		if err == nil {
			err = d.follow(ctx, l)
		}
		if err == nil {
			continue
		}
		if l != nil && l.Err() != nil {
			err = l.Err()
		}
		if ctx.Err() != nil {
			err = session.ErrClosed
		}
		d.fail(err)
		switch {
		case errors.Is(err, session.ErrTooLong): // it will be again, until somebody mends it
			d.refuse(ctx, err, 10*time.Second+rand.N(20*time.Second))
		case errors.Is(err, errOutdated): // a follower catches up, or does not
			pause(ctx, time.Second)
		default:
			pause(ctx, 20*time.Millisecond+rand.N(80*time.Millisecond))
		}
	}
}

// refuse asks the registry nothing for a time, and tells whoever joins why.
func (d *directory) refuse(ctx context.Context, err error, t time.Duration) {
	timer := time.NewTimer(t)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-d.joined:
			d.fail(err)
		}
	}
}

// pause returns after d, or when ctx is done.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
