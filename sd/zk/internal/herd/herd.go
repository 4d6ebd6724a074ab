// Package herd has those who have one reason to ask ZooKeeper for something, all of a fleet in the
// same moment, ask one after the other: a small fleet at once, a large one spread over a while.
package herd

import (
	"math/rand/v2"
	"time"
)

const (
	// Large is the number of names from which on a fleet is spread.
	Large = 1000

	eachName  = 100 * time.Microsecond // of Jitter
	maxJitter = 5 * time.Second
)

// Jitter returns how long one of a fleet of n waits when all of them have the same reason to ask
// ZooKeeper for something costly: nothing in a small fleet, and up to 5 s at random in one of
// 50,000.
func Jitter(n int) time.Duration {
	if n <= Large {
		return 0
	}
	return rand.N(min(time.Duration(n)*eachName, maxJitter))
}

// A Fleet is one as a server of it knows it: when every session has expired at once, the servers do
// not all register again in the same moment. It has no lock.
type Fleet struct {
	size    int       // as last seen
	session int64     // in which this process last registered
	next    int64     // the session after that
	at      time.Time // when to register in it
}

// Registered takes down that this process has registered in session.
func (f *Fleet) Registered(session int64) { f.session = session }

// Seen takes down how many servers there are, for a process whose session is that. One that is to
// register again, because its session has expired, keeps to what it saw before: those who are missing
// now may be about to return like itself.
func (f *Fleet) Seen(servers int, session int64) {
	if f.session != 0 && f.session != session {
		servers = max(servers, f.size)
	}
	f.size = servers
}

// Delay returns how long to wait before registering in session. The first session, and the one that
// holds the registration already, need not wait.
func (f *Fleet) Delay(session int64) time.Duration {
	if f.session == 0 || f.session == session {
		return 0
	}
	if f.next != session {
		f.next, f.at = session, time.Now().Add(Jitter(f.size))
	}
	return max(time.Until(f.at), 0)
}
