package sd

import (
	"sync"
	"time"
)

// deliveryPause is the least time between two deliveries to one subscriber.
// The first change is delivered at once; what comes within the pause is merged
// into one delivery at its end.
const deliveryPause = 100 * time.Millisecond

// A mailbox belongs to one subscriber. It holds no value, only the fact that
// there is a newer one: the goroutine of the mailbox fetches the value when the
// subscriber is ready for it, so the latest wins and nothing piles up.
type mailbox struct {
	news chan struct{} // capacity 1: there is something to fetch
	quit chan struct{} // closed by close
	once sync.Once
	done chan struct{} // closed when the goroutine has ended
}

// newMailbox starts the goroutine, which calls deliver for what was announced
// by notify. While deliver blocks nothing else is delivered, and close waits.
func newMailbox(deliver func(*mailbox)) *mailbox {
	m := &mailbox{
		news: make(chan struct{}, 1),
		quit: make(chan struct{}),
		done: make(chan struct{}),
	}
	go m.run(deliver)
	return m
}

// notify says that there is something newer. It does not block.
func (m *mailbox) notify() {
	select {
	case m.news <- struct{}{}:
	default:
	}
}

// close ends the goroutine and waits for it: no delivery is under way after it.
func (m *mailbox) close() {
	m.once.Do(func() { close(m.quit) })
	<-m.done
}

func (m *mailbox) run(deliver func(*mailbox)) {
	defer close(m.done)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for awaits(m, pause.C) && awaits(m, m.news) {
		deliver(m)
		pause.Reset(deliveryPause)
	}
}

// awaits reports whether c fired, rather than close being called.
func awaits[T any](m *mailbox, c <-chan T) bool {
	select {
	case <-m.quit:
		return false
	case <-c:
		return true
	}
}
