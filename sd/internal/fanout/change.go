// Package fanout holds the instances of a directory, evaluates their attributes and the policy, and
// tells any number of subscribers; none waits for another. It knows no loop and no registry. The
// set (set.go), a subscriber's backlog (backlog.go) and the evaluation (evaluator.go, lost.go)
// are plain values; the Fanout (fanout.go, effective.go) has the only lock.
package fanout

import "example.com/daytime/sd/policy"

// A Change is sd.Change, which this package cannot import.
type Change struct {
	Reset              bool
	Up, Down, Withdrew []string

	// From a backend.
	Attributes map[string]policy.Attributes
	Unread     []string
	Policy     *PolicyText
	Lacking    bool // the policy

	// To a follower. A map that is nil is of a Fanout without an Evaluation. Names that are neither in
	// Up nor members were lost.
	Effective map[string]policy.Effective
	Sides     []policy.Side
}

// A PolicyText is sd.PolicyText.
type PolicyText struct {
	Document string
	Version  int64
}

// size is how many instances changed, of a difference.
func (c Change) size() int { return len(c.Up) + len(c.Down) }

// empty reports whether a difference is none.
func (c Change) empty() bool { return c.size() == 0 && len(c.Effective) == 0 && c.Sides == nil }

// withdrew is Withdrew for look-ups, nil for none.
func (c Change) withdrew() map[string]struct{} {
	if len(c.Withdrew) == 0 {
		return nil
	}
	return setOf(c.Withdrew)
}
