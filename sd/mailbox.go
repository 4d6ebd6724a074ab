package sd

import (
	"sync"
	"sync/atomic"
	"time"

	"example.com/daytime/sd/internal/signal"
)

// deliveryPause is the least time between two deliveries of the set to one subscriber. The first
// change is delivered at once. What comes within the pause is merged into one delivery at its end.
const deliveryPause = 100 * time.Millisecond

// A mailbox belongs to one subscriber. It holds no value, only the fact that there is a newer one:
// the goroutine of the mailbox fetches the value when the subscriber is ready for it, so the latest
// wins and nothing piles up.
type mailbox struct {
	news  signal.Signal // there is something to fetch
	quit  chan struct{} // closed by close
	once  sync.Once
	final atomic.Bool   // the last delivery is wanted; set by finish
	done  chan struct{} // closed when the goroutine has ended
}

// newMailbox starts the goroutine, which calls deliver for what was announced by notify, with a
// pause after each. While deliver blocks nothing else is delivered, and close waits.
func newMailbox(pause time.Duration, deliver func(*mailbox)) *mailbox {
	m := &mailbox{news: signal.New(), quit: make(chan struct{}), done: make(chan struct{})}
	go m.run(pause, deliver)
	return m
}

// notify says that there is something newer. It does not block.
func (m *mailbox) notify() { m.news.Set() }

// close ends the goroutine and waits for it: no delivery is under way after it.
func (m *mailbox) close() {
	m.once.Do(func() { close(m.quit) })
	<-m.done
}

// finish is close after one more delivery, unless close came first.
func (m *mailbox) finish() {
	m.final.Store(true)
	m.close()
}

func (m *mailbox) run(pause time.Duration, deliver func(*mailbox)) {
	defer close(m.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for awaits(m, timer.C) && awaits(m, m.news) {
		deliver(m)
		timer.Reset(pause)
	}
	if m.final.Load() {
		deliver(m)
	}
}

// awaits reports whether c fired, rather than close being called.
func awaits[C ~<-chan T | ~chan T, T any](m *mailbox, c C) bool {
	select {
	case <-m.quit:
		return false
	case <-c:
		return true
	}
}
