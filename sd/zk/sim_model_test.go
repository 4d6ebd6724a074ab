package zk_test

import "github.com/anishathalye/porcupine"

// The model of a directory: for each name, and for the policy, a state, and effects on it. An
// effect is all that one operation does, at one moment between its call and its return: the states
// that may follow, or none if what was told cannot have been so.
type effect[S comparable] func(S) []S

// A tenancy is the state of one name.
type tenancy struct {
	owner    *program // of the node; nil: there is none
	withheld bool     // by the policy
}

// A policyText is the state of the policy.
type policyText struct {
	document string
	version  int64
}

// stranger is the owner of what is somebody else's.
var stranger = &program{slot: &slot{}}

func (s tenancy) isOf(slot *slot) bool { return s.owner != nil && s.owner.slot == slot }

// registers is that p was told that it is registered. It may have taken over from a predecessor.
func registers(p *program) effect[tenancy] {
	return func(s tenancy) []tenancy {
		if s.withheld || s.owner != nil && !s.isOf(p.slot) {
			return nil
		}
		return []tenancy{{owner: p}}
	}
}

// stepsAside is that p was told that it is withheld. Its node is gone then, and a predecessor's.
func stepsAside(p *program) effect[tenancy] {
	return func(s tenancy) []tenancy {
		switch {
		case !s.withheld:
			return nil
		case s.isOf(p.slot):
			s.owner = nil
		}
		return []tenancy{s}
	}
}

// ends is that p withdrew, or that its session did end.
func ends(p *program) effect[tenancy] {
	return func(s tenancy) []tenancy {
		if s.owner == p {
			s.owner = nil
		}
		return []tenancy{s}
	}
}

// passes is that somebody gave the name to owner, or to nobody, whoever had it.
func passes(owner *program) effect[tenancy] {
	return func(s tenancy) []tenancy { return []tenancy{{owner, s.withheld}} }
}

// owned is that somebody was told of an owner for whom is holds.
func owned(is func(owner *program) bool) effect[tenancy] {
	return when(func(s tenancy) bool { return is(s.owner) }, func(s tenancy) tenancy { return s })
}

// withholds is that the policy withholds the name from then on, or does not.
func withholds(on bool) effect[tenancy] {
	return func(s tenancy) []tenancy { return []tenancy{{s.owner, on}} }
}

// reads is that somebody read the policy.
func reads(t policyText) effect[policyText] {
	return when(func(s policyText) bool { return s == t }, func(s policyText) policyText { return s })
}

// writes is that somebody wrote the policy in the place of that version.
func writes(document string, version int64) effect[policyText] {
	return when(func(s policyText) bool { return s.version == version },
		func(s policyText) policyText { return policyText{document, version + 1} })
}

// outdates is that somebody was told that there is another version.
func outdates(version int64) effect[policyText] {
	return when(func(s policyText) bool { return s.version != version }, func(s policyText) policyText { return s })
}

// when is one that can only be if is holds.
func when[S comparable](is func(S) bool, next func(S) S) effect[S] {
	return func(s S) []S {
		if !is(s) {
			return nil
		}
		return []S{next(s)}
	}
}

// perhaps is that nobody was told whether e has come about.
func perhaps[S comparable](e effect[S]) effect[S] {
	return func(s S) []S { return append(e(s), s) }
}

// model is the directory for porcupine.
func model[S comparable]() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{*new(S)} },
		Step: func(state, input, _ any) (next []any) {
			for _, s := range input.(effect[S])(state.(S)) {
				next = append(next, s)
			}
			return next
		},
	}
	return m.ToModel()
}
