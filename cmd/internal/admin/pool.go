package admin

import (
	"slices"
	"time"

	"example.com/daytime/sd/lb"
)

// A poolPart is the section of a client's pool.
type poolPart struct {
	Rows  []memberRow
	Ready int
	Left  int // instances that are gone
}

// A memberRow is one instance as the pool sees it.
type memberRow struct {
	Instance  string
	State     mark
	Until     time.Time // zero: none
	Why       string
	InFlight  int
	Requests  uint64
	Failures  uint64
	Ejections uint64
	Mean, Max time.Duration
}

func newPoolPart(stats []lb.Stat) *poolPart {
	p := &poolPart{}
	for _, s := range stats {
		if s.State == "gone" {
			p.Left++
			continue
		}
		row := memberRow{Instance: s.Instance, State: memberMark(s), Until: s.Until,
			Why: clipError(s.Err), InFlight: s.InFlight, Requests: s.Requests, Failures: s.Failures,
			Ejections: s.Ejections, Mean: s.Mean, Max: s.Max}
		if s.Cause != "" {
			row.Why = s.Cause + ": " + row.Why
		}
		if row.State.Tone == "good" {
			p.Ready++
		}
		p.Rows = append(p.Rows, row)
	}
	slices.SortFunc(p.Rows, func(a, b memberRow) int {
		return compareInstances(a.Instance, b.Instance)
	})
	return p
}

// memberMark is the state of a member.
func memberMark(s lb.Stat) mark {
	switch {
	case s.State == "ejected":
		return bad("ejected")
	case s.State == "drained":
		return held("drained")
	case s.State == "reserve":
		return busy("in reserve")
	case s.State == "pending":
		return idle("pending")
	case s.Failing:
		return warn("failing")
	case s.Warming:
		return mark{"good", "◔", "slow start"}
	default:
		return good("ready")
	}
}

func (p *poolPart) fact() fact {
	state := good(count(p.Ready) + " of " + count(len(p.Rows)) + " ready")
	switch {
	case len(p.Rows) == 0:
		state = idle("empty")
	case p.Ready < len(p.Rows):
		state.Tone, state.Sign = "warn", "▲"
	}
	return fact{Label: "Pool", State: &state}
}
