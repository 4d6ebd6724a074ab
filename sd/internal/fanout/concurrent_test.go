package fanout

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"example.com/daytime/sd/policy"
)

// While the first set is indexed another change may come, as from a line of the policy that
// expires. It is not undone.
func TestIndexBesideApply(t *testing.T) {
	var all []string
	for n := range 1000 {
		all = append(all, fmt.Sprintf("%03d", n))
	}
	for range 200 {
		f := New()
		f.Apply(reset(all...), nil)
		var both sync.WaitGroup
		both.Go(f.Index)
		both.Go(func() { f.Apply(Change{Down: all[:1]}, nil) })
		both.Wait()
		if want, have := len(all)-1, f.Size(); want != have {
			t.Fatalf("size: want %d, have %d", want, have)
		}
	}
}

// What go-kit's subscribers are sent is a set and who is drained in it, of the same moment.
func TestUndrainedIsOfOneMoment(t *testing.T) {
	f := New()
	f.Apply(reset("a", "b"), swap("a", "b"))
	f.Index()
	var changes sync.WaitGroup
	defer changes.Wait()
	changes.Go(func() {
		for range 5000 { // {a, b} without a is b, and {a, c} without c is a
			f.Apply(Change{Up: []string{"c"}, Down: []string{"b"}}, swap("c", "a"))
			f.Apply(Change{Up: []string{"b"}, Down: []string{"c"}}, swap("a", "b"))
		}
	})
	for range 5000 {
		if have := f.undrained(); !slices.Equal(have, []string{"a"}) &&
			!slices.Equal(have, []string{"b"}) {
			t.Fatalf("want a or b alone, have %q", have)
		}
	}
}

// swap is an Evaluation by which one is drained, and another is not.
func swap(drained, undrained string) *Evaluation {
	x := NewEvaluation(map[string]policy.Effective{
		drained: {Weight: 100, Drained: true}, undrained: {Weight: 100},
	}, nil, nil)
	return &x
}
