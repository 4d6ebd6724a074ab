package zk

import (
	"time"

	"example.com/daytime/sd/zk/internal/watch"
)

// A herd is the fleet as its announcer knows it: when every session has expired at once, the
// servers do not all register again in the same moment. Only the announcer's goroutine uses it.
type herd struct {
	size    int       // of the directory, as last seen
	session int64     // in which this process last registered
	next    int64     // the session after that
	at      time.Time // when to register in it
}

// delay returns how long to wait before registering in session. The first session, and the one that
// holds the registration already, need not wait.
func (h *herd) delay(session int64) time.Duration {
	if h.session == 0 || h.session == session {
		return 0
	}
	if h.next != session {
		h.next, h.at = session, time.Now().Add(watch.Jitter(h.size))
	}
	return max(time.Until(h.at), 0)
}
