package zk

import (
	"math/rand/v2"
	"time"

	"example.com/daytime/sd/zk/session"
)

const (
	largeFleet = 1000                   // names; what many do at once is spread out from there on
	spreadEach = 100 * time.Microsecond // for each name
	mostSpread = 5 * time.Second
)

// spread returns how long one of a fleet of n waits when all of them have the
// same reason to ask ZooKeeper for something costly: nothing in a small fleet,
// and up to 5 s at random in one of 50,000.
func spread(n int) time.Duration {
	if n <= largeFleet {
		return 0
	}
	return rand.N(min(time.Duration(n)*spreadEach, mostSpread))
}

// A crowd is what an announcer knows of its fleet: when every session has
// expired at once, the servers do not all register again in the same moment.
// Only the announcer's goroutine uses it.
type crowd struct {
	size    int       // of the directory, as of counted
	counted time.Time // zero: never
	session int64     // in which this process last registered
	next    int64     // the session after that
	at      time.Time // when to register in it
}

// delay returns how long to wait before registering in session. The first
// session, and the one that holds the registration already, need not wait.
func (c *crowd) delay(session int64) time.Duration {
	if c.session == 0 || c.session == session {
		return 0
	}
	if c.next != session {
		c.next, c.at = session, time.Now().Add(spread(c.size))
	}
	return max(time.Until(c.at), 0)
}

// count learns the size of the directory, now and then.
func (a *announcer) count(l *session.Conn) {
	if a.crowd.session != l.Session || time.Since(a.crowd.counted) < auditEvery {
		return
	}
	if exists, stat, err := l.Exists(a.parent); err == nil && exists {
		a.crowd.size, a.crowd.counted = int(stat.NumChildren), time.Now()
	}
}
