package zk

import (
	"context"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/session"
)

// A reader is one Watch under way. The directory's lock guards it.
type reader struct {
	news    chan struct{} // capacity 1
	reset   bool          // wants the whole set
	changes []sd.Change   // after that
	err     error         // ends the Watch, after changes
}

// mostChanges is how many changes a reader is told one by one.
const mostChanges = 1024

// watch is sd.Backend's Watch.
func (d *directory) watch(ctx context.Context, emit func(sd.Change)) error {
	r := d.join()
	defer d.leave(r)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.session.Done():
			return session.ErrClosed
		case <-r.news:
		}
		changes, err := d.take(r)
		for _, c := range changes {
			emit(c)
		}
		if err != nil {
			return err
		}
	}
}

func (d *directory) join() *reader {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := &reader{news: make(chan struct{}, 1), reset: d.live}
	d.readers[r] = struct{}{}
	if d.live {
		r.notify()
	}
	select {
	case d.joined <- struct{}{}:
	default:
	}
	return r
}

func (d *directory) leave(r *reader) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.readers, r)
}

// take returns what r has not been told yet.
func (d *directory) take(r *reader) (changes []sd.Change, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	changes, err = r.changes, r.err
	if r.reset {
		changes = []sd.Change{{Reset: true, Up: d.whole()}}
	}
	r.reset, r.changes = false, nil
	return changes, err
}

func (r *reader) notify() {
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// tell puts c behind what r has not been told yet. A list is passed on as it
// came: to walk the names in another order than memory's takes twice as long.
func (r *reader) tell(c sd.Change) {
	switch {
	case c.Reset:
		r.reset, r.changes = false, []sd.Change{c}
	case len(r.changes) >= mostChanges:
		r.reset, r.changes = true, nil
	case !r.reset:
		r.changes = append(r.changes, c)
	}
	r.notify()
}
