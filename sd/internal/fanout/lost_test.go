package fanout

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"example.com/daytime/sd/policy"
)

// A steered is a Fanout with an Evaluator, and a reader.
type steered struct {
	*Fanout
	evaluator *Evaluator
	reader    *Reader
	now       time.Time
}

func newSteered() *steered {
	s := &steered{New(), NewEvaluator(), nil, time.Now()}
	s.reader = s.NewReader(func() {})
	return s
}

func (s *steered) apply(c Change) {
	x := s.evaluator.Add(c, s.Members, s.now)
	s.Apply(c, &x)
	s.Index()
}

// follow has the policy be these lines.
func (s *steered) follow(lines string) {
	s.apply(Change{Policy: &PolicyText{Document: policy.Header + "\n" + lines}})
}

// says has instances come, or change, that say to be of a version.
func (s *steered) says(version string, names ...string) Change {
	c := Change{Attributes: map[string]policy.Attributes{}}
	for _, name := range names {
		if !slices.Contains(s.Instances(), name) {
			c.Up = append(c.Up, name)
		}
		c.Attributes[name] = policy.Attributes{Tags: map[string]string{"version": version}}
	}
	return c
}

// told checks whom the reader is told the effective values of, and who of them is drained.
func (s *steered) told(t *testing.T, what string, names, drained []string) {
	t.Helper()
	have := s.reader.Take().Effective
	equal(t, what+": told of", names, slices.Sorted(maps.Keys(have)))
	maps.DeleteFunc(have, func(_ string, v policy.Effective) bool { return !v.Drained })
	equal(t, what+": of these drained", drained, slices.Sorted(maps.Keys(have)))
}

// A policy is about those as well that were lost before it came, by what they had said: a follower
// may go on with them. Those that withdrew, or are back, are not among them.
func TestLostAreEvaluated(t *testing.T) {
	s := newSteered()
	s.apply(Change{Reset: true})
	s.apply(s.says("2", "a", "b", "c", "d"))
	s.apply(Change{Down: []string{"a", "b", "c"}, Withdrew: []string{"c"}})
	s.told(t, "before a policy", nil, nil)
	s.follow("drain version=2")
	s.told(t, "a policy", []string{"a", "b", "d"}, []string{"a", "b", "d"})
	s.follow("drain version=2")
	s.told(t, "the same policy", nil, nil)
	s.apply(Change{Up: []string{"b"}}) // and says nothing
	s.follow("drain version=2\nweight version=3 7")
	s.told(t, "one is back", []string{"a"}, []string{"a"})

	c := s.says("2", "d")
	c.Reset, c.Up = true, []string{"d"}
	s.apply(c)
	s.told(t, "one is missing in a Reset", nil, nil)
	s.follow("drain *")
	s.told(t, "a policy after that", []string{"a", "b"}, []string{"a", "b"})
	expires := func() { x := s.evaluator.Expire(s.Members, s.now); s.Apply(Change{}, &x) }
	for _, end := range []func(lines string){func(string) { expires() }, s.follow} {
		lines := "drain * until=" + s.now.Add(time.Hour).Format(time.RFC3339)
		s.follow(lines)
		s.reader.Take()
		s.now = s.now.Add(2 * time.Hour)
		end(lines)
		s.told(t, "it has expired", []string{"a", "b", "d"}, nil)
	}
}

// They are forgotten after a while.
func TestLostAreForgotten(t *testing.T) {
	s := newSteered()
	s.apply(reset("a", "b", "c", "d"))
	for _, name := range []string{"a", "b", "c"} {
		s.apply(Change{Down: []string{name}})
		s.now = s.now.Add(lostFor)
	}
	s.told(t, "before a policy", nil, nil)
	s.follow("drain *")
	s.told(t, "the last two", []string{"b", "c", "d"}, []string{"b", "c", "d"})
}

// However a loss and another value are merged, a follower is told what the lost one had become by
// then, and nothing of that when it is back.
func TestBacklogOfLost(t *testing.T) {
	lost := func(s *steered) { s.apply(Change{Down: []string{"a"}}) }
	back := func(s *steered) { s.apply(Change{Up: []string{"a"}}) }
	drain := func(s *steered) { s.follow("drain version=2") }
	for name, test := range map[string]struct {
		steps       []func(*steered)
		told, drain []string
	}{
		"drained and lost":        {[]func(*steered){drain, lost}, []string{"a"}, []string{"a"}},
		"lost and drained":        {[]func(*steered){lost, drain}, []string{"a"}, []string{"a"}},
		"lost, drained, and back": {[]func(*steered){lost, drain, back}, []string{"a"}, nil},
		"drained, lost, and back": {[]func(*steered){drain, lost, back}, []string{"a"}, nil},
		"drained and withdrawn": {[]func(*steered){drain, func(s *steered) {
			s.apply(Change{Down: []string{"a"}, Withdrew: []string{"a"}})
		}}, nil, nil},
	} {
		s := newSteered()
		s.apply(reset("b"))
		s.apply(s.says("2", "a"))
		s.reader.Take()
		for _, step := range test.steps {
			step(s)
		}
		s.told(t, name, test.told, test.drain)
	}
}

// One whose loss was told, and who is back without anything to say, has no value of before. If it is
// lost again before that is told, its loss is none, and what it was meanwhile is.
func TestBacklogOfOneThatIsBack(t *testing.T) {
	s := newSteered()
	s.apply(reset("b"))
	s.apply(s.says("2", "a"))
	s.apply(Change{Down: []string{"a"}})
	s.reader.Take()
	s.follow("drain version=2\ndrain version=3")
	s.apply(Change{Up: []string{"a"}})
	s.told(t, "back", nil, nil)
	s.apply(Change{Down: []string{"a"}})
	s.reader.Take()
	s.apply(s.says("3", "a"))
	s.apply(Change{Down: []string{"a"}})
	s.told(t, "back and lost again", []string{"a"}, []string{"a"})
}

// However many come and are lost while a follower does not ask, what waits for it is bounded: also
// where each policy is about them. All that a policy is about is told, however many those are.
func TestBacklogOfPassersBy(t *testing.T) {
	s := newSteered()
	s.apply(reset("b"))
	s.follow("weight version=2 7")
	s.reader.Take()
	pass := func(n int) {
		for i := range n {
			name := fmt.Sprint(n, "-", i)
			s.apply(Change{Up: []string{name}, Attributes: s.says("2", name).Attributes})
			s.apply(Change{Down: []string{name}})
		}
	}
	most := 0
	for i := range 10 {
		pass(1000 + i)
		s.now = s.now.Add(lostFor)
		s.follow(fmt.Sprintf("weight version=2 %d", i))
		most = max(most, len(s.evaluator.evaluateLost()))
	}
	pass(10_000)
	if n, bound := len(s.reader.Take().Effective), maxPassers+2*(most+1); n > bound {
		t.Errorf("want %d values at most, have %d", bound, n)
	}
	s.follow("drain version=2")
	s.apply(Change{Up: []string{"c"}})
	drained := 0
	for _, v := range s.reader.Take().Effective {
		if v.Drained {
			drained++
		}
	}
	if drained < 10_000 {
		t.Errorf("want all that were lost drained, have %d", drained)
	}
}
