package admin

import (
	"context"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/lb"
)

// A View is what a program shows of itself. Its functions are called for each request,
// concurrently, and must not block.
type View struct {
	Listeners   func() []Listener // where this process serves; nil: it does not
	Members     func() []lb.Stat  // of its pool; nil: it has none
	Directories []Directory
}

// A Listener is one address at which this process serves.
type Listener struct {
	Instance      string // under which it is registered
	Addr          string // where it listens
	Open          int    // connections
	Served        uint64 // connections
	Registrations []Registration
}

// A Registration is where a Listener stands in one registry.
type Registration struct {
	Registry string // its target
	State    sd.State
}

// A Directory is what can be followed of a registry.
type Directory struct {
	Registry string // its target
	// Follow begins to follow it, with [sd.FollowPolicy], and does not block. Stop returns when
	// that has ended, and leaves nothing behind: a watch lasts as long as its session, so that a
	// Backend of its own is opened here, and closed there. It is nil if there is none to follow
	// now, such as with a file of credentials that is gone, and nothing is left to stop.
	Follow func() (_ *sd.Instancer, stop func())
}

// serves reports whether v is of a process that serves, as one is that has not said so yet. A
// client serves nobody, and is never ready for that.
func (v View) serves() bool { return v.Listeners != nil || v.Members == nil }

func (v View) listeners() []Listener {
	if v.Listeners == nil {
		return nil
	}
	return v.Listeners()
}

// A shown is a View with what follows its directories.
type shown struct {
	view      View
	followers []*follower
}

func newShown(v View) *shown {
	s := &shown{view: v}
	for _, d := range v.Directories {
		s.followers = append(s.followers, &follower{directory: d})
	}
	return s
}

// look begins or prolongs a view of every directory.
func (s *shown) look() (looks []look) {
	for _, f := range s.followers {
		looks = append(looks, f.look())
	}
	return looks
}

// await returns once every directory has answered, or had firstTimeout to do so.
func await(ctx context.Context, looks []look) {
	for _, l := range looks {
		left := firstTimeout - time.Since(l.begun)
		if l.Instancer == nil || left <= 0 || l.State().Phase != sd.Unknown {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, left)
		l.Await(ctx) // whose error is in the state as well
		cancel()
	}
}

// close ends what follows the directories.
func (s *shown) close() {
	for _, f := range s.followers {
		f.close()
	}
}
