package sd

import (
	"fmt"
	"time"
)

// A Phase is where an [Instancer] or a [Registrar] stands.
type Phase string

// The phases of an Instancer.
const (
	Unknown Phase = "unknown" // the registry has not answered yet
	Live    Phase = "live"    // the set is what the registry says
	Stale   Phase = "stale"   // the registry cannot be read; the last set is kept
)

// The phases of a Registrar.
const (
	Withdrawn   Phase = "withdrawn"   // not wanted: before Register, and after Deregister, with ErrUnconfirmed if that was not confirmed in time
	Registering Phase = "registering" // wanted, not visible yet
	Registered  Phase = "registered"  // visible in the registry
	Lost        Phase = "lost"        // was visible, is wanted, and cannot be vouched for now
	Conflict    Phase = "conflict"    // somebody else is registered under the instance
)

// A State is a phase, when it began, and the error that explains it, if any.
// The error may change within a phase; Since does not.
type State struct {
	Phase Phase
	Since time.Time
	Err   error

	told   string // the error as it was last logged
	toldAt time.Time
}

// reasonPause is the least time between two log lines about one phase, whose
// reason may alternate as one host after another is tried.
const reasonPause = 30 * time.Second

// String is one line for a person: the phase, for how long, and why.
func (s State) String() string {
	line := fmt.Sprintf("%s for %s", s.Phase, time.Since(s.Since).Round(time.Millisecond))
	if s.Err != nil {
		line += ": " + s.Err.Error()
	}
	return line
}

// to returns the state after s, and whether it is worth a log line: a new
// phase, the end of an error, or, now and then, another one.
func (s State) to(p Phase, err error) (next State, news bool) {
	next = s
	next.Phase, next.Err = p, err
	if s.Phase != p {
		next.Since = time.Now()
	}
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	news = s.Phase != p || reason != s.told && (reason == "" || s.told == "" || time.Since(s.toldAt) >= reasonPause)
	if news {
		next.told, next.toldAt = reason, time.Now()
	}
	return next, news
}
