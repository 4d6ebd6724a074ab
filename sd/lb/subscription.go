package lb

import (
	"time"

	"example.com/daytime/sd"
	kitsd "github.com/go-kit/kit/sd"
)

// A follower is an Instancer that hands over differences, which spares the Pool from comparing
// whole sets. It calls fn with the whole set first, never after stop has returned and never twice
// at once; while fn blocks it merges.
type follower interface {
	Follow(fn func(sd.Change)) (stop func())
}

// A stater is an Instancer that says whether it has a set (nil is none), and vouches for it.
type stater interface {
	Instances() []string
	State() sd.State
}

// subscribe has src's changes sent to p.changes until the function it returns is called.
func (p *Pool) subscribe(src kitsd.Instancer) (stop func()) {
	if f, ok := src.(follower); ok {
		return f.Follow(p.send)
	}
	events := make(chan kitsd.Event)
	stopped := make(chan struct{})
	p.running.Go(func() { p.relay(events, stopped) })
	src.Register(events)
	return func() {
		src.Deregister(events) // which may itself wait until its last send was received
		close(stopped)
	}
}

// maxBegin is how long NewPool waits for the first endpoints.
const maxBegin = 100 * time.Millisecond

// awaitFirst waits for the first endpoints of an Instancer that has a set.
func (p *Pool) awaitFirst() {
	if p.stater == nil || p.stater.Instances() == nil {
		return
	}
	select {
	case <-p.begun:
	case <-time.After(maxBegin):
	}
}

// relay passes a go-kit subscription on. An event with an error leaves the set as it was: an error
// of the registry says nothing about the instances.
func (p *Pool) relay(events <-chan kitsd.Event, stopped <-chan struct{}) {
	for {
		select {
		case event := <-events:
			if event.Err != nil {
				p.logger.Log("msg", "registry cannot be read, keeping the instances", "err", event.Err)
				continue
			}
			p.send(sd.Change{Reset: true, Up: event.Instances})
		case <-stopped:
			return
		}
	}
}

// send blocks until run has taken c, or has ended.
func (p *Pool) send(c sd.Change) {
	select {
	case p.changes <- c:
	case <-p.done:
	}
}
