package fanout

// A Reader is a follower without a goroutine and without a pause: it is woken when there is
// something new, and takes it when it is ready for it.
type Reader struct {
	fanout   *Fanout
	follower *follower
}

// NewReader returns a Reader. Wake is called with a lock held, and does not block. After Close of f
// there is nothing to take.
func (f *Fanout) NewReader(wake func()) *Reader {
	r := &Reader{f, &follower{notify: wake}}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.add(r.follower)
	}
	return r
}

// Take returns what is new: nothing before there is a set, then the whole set as a Reset, then the
// exact difference to what was taken before.
func (r *Reader) Take() Change { return r.fanout.take(r.follower) }

// Close ends the subscription. It may be called again.
func (r *Reader) Close() { r.fanout.remove(r.follower) }
