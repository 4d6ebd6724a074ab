package union

import (
	"errors"
	"fmt"
	"time"

	"example.com/daytime/sd/internal/fanout"
	"example.com/daytime/sd/policy"
)

// A State is that of one part.
type State struct {
	Name  string
	Phase string
	Live  bool
	Since time.Time
	Err   error
}

// errSilent is why a part has no set when it has no error either.
var errSilent = errors.New("no answer yet")

// Reason is the error of a union of parts in these states: nil if each is live and well, or if none
// has said anything and the union has not begun. Tally is of the union.
func Reason(parts []State, begun bool, tally policy.Tally) error {
	var all []error
	silent := 0
	for _, s := range parts {
		switch {
		case !s.Live && s.Err == nil:
			silent++
			all = append(all, fmt.Errorf("%s: %w", s.Name, errSilent))
		case !s.Live:
			all = append(all, fmt.Errorf("%s: %s: %w", s.Name, s.Phase, s.Err))
		case s.Err != nil:
			all = append(all, fmt.Errorf("%s: %w", s.Name, s.Err))
		}
	}
	if !begun && silent == len(parts) {
		return nil
	}
	return fanout.InOneLine(append(all, fanout.Suspended(tally)...))
}

// Live is how many parts are.
func Live(parts []State) (n int) {
	for _, s := range parts {
		if s.Live {
			n++
		}
	}
	return n
}

// Latest is when the last of the parts in a phase came to it.
func Latest(parts []State, phase string) (last time.Time) {
	for _, s := range parts {
		if s.Phase == phase && s.Since.After(last) {
			last = s.Since
		}
	}
	return last
}
