// Package mailbox tells a subscriber that there is something newer, without waiting for it.
package mailbox

import (
	"sync"
	"sync/atomic"
	"time"

	"example.com/daytime/sd/internal/signal"
)

// A Mailbox belongs to one subscriber. It holds no value, only the fact that there is a newer one:
// the goroutine of the mailbox fetches the value when the subscriber is ready for it, so the latest
// wins and nothing piles up.
type Mailbox struct {
	news  signal.Signal // there is something to fetch
	quit  chan struct{} // closed by Close
	once  sync.Once
	final atomic.Bool   // the last delivery is wanted; set by Finish
	done  chan struct{} // closed when the goroutine has ended
}

// New starts the goroutine, which calls deliver after Notify, with a pause after each call. While
// deliver blocks nothing else is delivered, and Close waits.
func New(pause time.Duration, deliver func(*Mailbox)) *Mailbox {
	m := &Mailbox{news: signal.New(), quit: make(chan struct{}), done: make(chan struct{})}
	go m.run(pause, deliver)
	return m
}

// Notify says that there is something newer. It does not block.
func (m *Mailbox) Notify() { m.news.Set() }

// Close ends the goroutine and waits for it: no delivery is under way after it.
func (m *Mailbox) Close() {
	m.once.Do(func() { close(m.quit) })
	<-m.done
}

// Finish is Close after one more delivery, unless Close came first.
func (m *Mailbox) Finish() {
	m.final.Store(true)
	m.Close()
}

// News fires when there is something newer than what is being delivered. A delivery that waits for
// its reader may receive from it, to give up a value that is out of date. That empties the slot, so
// the delivery calls Notify then.
func (m *Mailbox) News() <-chan struct{} { return m.news }

// Quit is closed when a delivery that waits must give up.
func (m *Mailbox) Quit() <-chan struct{} { return m.quit }

func (m *Mailbox) run(pause time.Duration, deliver func(*Mailbox)) {
	defer close(m.done)
	for awaits(m, m.News()) {
		deliver(m)
		if pause > 0 && !awaits(m, time.After(pause)) {
			break
		}
	}
	if m.final.Load() {
		deliver(m)
	}
}

// awaits reports whether c fired, rather than Close being called.
func awaits[T any](m *Mailbox, c <-chan T) bool {
	select {
	case <-m.quit:
		return false
	case <-c:
		return true
	}
}
