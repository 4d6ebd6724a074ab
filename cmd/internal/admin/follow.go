package admin

import (
	"sync"
	"time"

	"example.com/daytime/sd"
)

const (
	firstTimeout = time.Second // for the first answer of a registry, from the first view on
	followFor    = time.Minute // after the last view
)

// A follower follows a directory while somebody looks at it: one Instancer for all, from the first
// look until followFor after the last.
//
//	state     | look                     | followFor after the last look | close
//	----------+--------------------------+-------------------------------+---------------
//	idle      | following: begins        | -                             | closed
//	following | following: for longer    | idle: stops                   | closed: stops
//	closed    | nothing is followed      | -                             | -
//
// A look that finds nothing to follow leaves it idle, for the next one to try again. Stopping is
// waited for by close alone. A look that comes meanwhile begins anew, beside what ends.
type follower struct {
	directory Directory
	stopping  sync.WaitGroup

	mu     sync.Mutex
	now    look
	stop   func() // nil while idle
	seen   time.Time
	timer  *time.Timer // ends the following; nil before the first
	closed bool
}

// A look is what is followed, nil if nothing is, and since when.
type look struct {
	*sd.Instancer
	registry string
	begun    time.Time
}

// look returns what follows the directory, for followFor at least.
func (f *follower) look() look {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = time.Now()
	f.now.registry = f.directory.Registry
	if f.closed || f.stop != nil {
		return f.now
	}
	f.now.begun = f.seen
	if f.now.Instancer, f.stop = f.directory.Follow(); f.now.Instancer == nil {
		f.stop = nil
		return f.now
	}
	if f.timer == nil {
		f.timer = time.AfterFunc(followFor, f.expire)
	} else {
		f.timer.Reset(followFor)
	}
	return f.now
}

// expire stops following, unless somebody has looked meanwhile.
func (f *follower) expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := followFor - time.Since(f.seen)
	switch {
	case f.closed || f.stop == nil:
	case left > 0:
		f.timer.Reset(left)
	default:
		f.stopping.Go(f.release())
	}
}

// release makes f idle, and returns what ends what it followed. The caller holds mu.
func (f *follower) release() (stop func()) {
	stop, f.stop = f.stop, nil
	if !f.closed {
		f.now = look{}
	}
	return stop
}

// close ends the following for good, and waits for it. Later looks see what was there last. It may
// be called again, also beside itself.
func (f *follower) close() {
	f.mu.Lock()
	f.closed = true
	if f.timer != nil {
		f.timer.Stop()
	}
	if stop := f.release(); stop != nil {
		f.stopping.Go(stop)
	}
	f.mu.Unlock()
	f.stopping.Wait()
}
