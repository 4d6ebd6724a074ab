package lb

import (
	"context"
	"math/rand/v2"
	"slices"
)

const (
	// maxCandidates is how many members a pick looks at before it takes one that is warming up.
	maxCandidates = 4
	// probeEvery is how many calls there are for each probe while members are due for one. It
	// doubles with each probe that has no answer yet, maxDoublings times at most: members that hang
	// must not cost a quarter of the calls, since one that is not idempotent is lost with its probe.
	probeEvery   = 4
	maxDoublings = 4
)

// pick returns a member outside tried with a call begun on it, which invoke ends, or nil. It
// prefers the members open in the snapshot, on a side where none has failed, then on any that has a
// part of the calls, then each further tier: each only when all before it were tried.
func (p *Pool) pick(ctx context.Context, picker Picker, tried, hasFailed []*Member) *Member {
	for {
		s := p.snapshot.Load()
		m := p.choose(ctx, picker, s.side(ctx, picker, hasFailed), tried)
		if m == nil && len(s.sides) > 0 {
			if m = p.choose(ctx, picker, s.shared(), tried); m == nil {
				m = p.choose(ctx, picker, s, tried)
			}
		}
		for _, tier := range s.tiers {
			if m == nil {
				m = picker.Pick(ctx, s.only(tier, 0), tried)
			}
		}
		if m == nil || m.begin() {
			return m
		}
		// m's endpoint was closed since s was published, so there is a newer snapshot without it.
	}
}

// pickFirst is pick for the first attempt of a call, which may be a probe.
func (p *Pool) pickFirst(ctx context.Context, picker Picker) (m *Member, probe bool) {
	if s := p.snapshot.Load(); s.probes != nil {
		if m := p.pickProbe(ctx, picker, s); m != nil {
			return m, true
		}
	}
	return p.pick(ctx, picker, nil, nil), false
}

// choose is a pick among the open members. It passes over those that are warming up and have had
// their share, but looks at a few only.
func (p *Pool) choose(ctx context.Context, picker Picker, s *Snapshot, tried []*Member) *Member {
	first := picker.Pick(ctx, s, tried)
	if first == nil || !first.warming.Load() {
		return first
	}
	if isSticky(picker) {
		return first // or keys would go to and fro
	}
	m := first
	passed := slices.Clone(tried)
	for range maxCandidates {
		if m == nil || !m.warming.Load() || p.isWarm(m) {
			break
		}
		passed = append(passed, m)
		m = picker.Pick(ctx, s, passed)
	}
	if m == nil {
		return first
	}
	return m
}

// isWarm draws whether a member that is warming up may have this call: its share grows with the
// time.
func (p *Pool) isWarm(m *Member) bool {
	share := float64(p.now()-m.warmFrom.Load()) / float64(p.config.slowStart)
	return rand.Float64() < max(share, 0.1)
}

// pickProbe returns a member for a probe with the call begun, or nil if this call is none. With a
// Hash, probes are the calls that would be the member's own.
func (p *Pool) pickProbe(ctx context.Context, picker Picker, s *Snapshot) *Member {
	if p.sinceProbe.Add(1) < probeEvery<<min(p.probes.Load(), maxDoublings) {
		return nil
	}
	if isSticky(picker) {
		side := s.withProbes().side(ctx, picker, nil)
		m := picker.Pick(ctx, side, nil)
		if m != nil && p.claimProbe(m) {
			return m
		}
		return nil
	}
	if m := s.probes.sample(nil); p.claimProbe(m) {
		return m
	}
	return nil
}
