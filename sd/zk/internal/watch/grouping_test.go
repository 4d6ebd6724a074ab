package watch

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/sdtest"
)

// However children come, go, and change what they stand for, the changes of instances are exact,
// and the attributes of each are those of its newest child.
func TestInstances(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		in, said, have := newGrouping(true), map[string]statement{}, map[string]policy.Attributes{}
		r := sdtest.NewRecorder()
		for step := range 50 {
			c := sd.Change{Reset: step == 0 || random.IntN(20) == 0}
			for n := range 6 {
				child := fmt.Sprint("child", n)
				_, was := said[child]
				switch now := anyStatement(random); {
				case c.Reset && was, !c.Reset && !was && random.IntN(3) == 0:
					c.Up, said[child] = append(c.Up, child), now
				case !c.Reset && was && random.IntN(4) == 0:
					c.Down = append(c.Down, child)
					delete(said, child)
				case !c.Reset && was && random.IntN(3) == 0:
					add(&c, child, now, said[child])
					said[child] = now
				}
			}
			diff := in.apply(c, said)
			r.Emit(diff)
			if diff.Reset {
				clear(have)
			}
			for _, instance := range diff.Up {
				have[instance] = policy.Attributes{}
			}
			for _, instance := range diff.Down {
				delete(have, instance)
			}
			for instance, attributes := range diff.Attributes {
				have[instance] = attributes
			}
			if !agree(have, said) {
				t.Fatalf("seed %d, step %d: %+v after %+v: want that of %v, have %v", seed, step, diff, c, said, have)
			}
		}
		if err := r.Err(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// anyStatement is one about one of three instances, or about none.
func anyStatement(random *rand.Rand) (s statement) {
	if n := random.IntN(4); n > 0 {
		s.instance = fmt.Sprintf("192.0.2.%d:80", n)
		s.Zone = fmt.Sprint("zone", random.IntN(3))
		s.Since = time.Unix(random.Int64N(3), 0)
	}
	return s
}

// agree reports whether have is what children say.
func agree(have map[string]policy.Attributes, said map[string]statement) bool {
	want := map[string][]statement{}
	for _, s := range said {
		if s.instance != "" {
			want[s.instance] = append(want[s.instance], s)
		}
	}
	for instance, all := range want {
		newest := slices.MaxFunc(all, func(a, b statement) int { return a.Since.Compare(b.Since) }).Since
		attributes, present := have[instance]
		if !present || !slices.ContainsFunc(all, func(s statement) bool { return s.Since.Equal(newest) && s.Equal(attributes) }) {
			return false
		}
	}
	return len(want) == len(have)
}

// An instance withdrew if its child is still there and says so, and was lost if that was removed.
func TestInstancesWithdraw(t *testing.T) {
	bob := statement{instance: bob}
	for name, test := range map[string]struct {
		change sd.Change
		said   map[string]statement
		want   bool
	}{
		"disabled":         {sd.Change{Attributes: map[string]policy.Attributes{"a": {}}}, map[string]statement{"a": {}}, true},
		"another instance": {sd.Change{Attributes: map[string]policy.Attributes{"a": {}}}, map[string]statement{"a": bob}, true},
		"not readable now": {sd.Change{Attributes: map[string]policy.Attributes{"a": {}}},
			map[string]statement{"a": {instance: leftOut("a", errors.New("no JSON"))}}, false},
		"removed":              {sd.Change{Down: []string{"a"}}, nil, false},
		"removed, as a claim":  {sd.Change{Down: []string{"a"}, Withdrew: []string{"a"}}, nil, false},
		"removed and replaced": {sd.Change{Down: []string{"a"}, Up: []string{"b"}}, map[string]statement{"b": {}}, false},
	} {
		in := newGrouping(false)
		in.apply(sd.Change{Reset: true, Up: []string{"a"}}, map[string]statement{"a": {instance: alice}})
		have := in.apply(test.change, test.said)
		if !slices.Equal(have.Down, []string{alice}) || slices.Contains(have.Withdrew, alice) != test.want {
			t.Errorf("%s: want %s down, withdrawn: %t, have %+v", name, alice, test.want, have)
		}
	}
}

// The first list of a directory in another layout, and one change of it.
func BenchmarkInstances(b *testing.B) {
	said, list := map[string]statement{}, sd.Change{Reset: true}
	for n := range 10_000 {
		child := fmt.Sprint("child", n)
		said[child] = statement{instance: fmt.Sprintf("192.0.2.%d:%d", n%200+1, 1000+n)}
		list.Up = append(list.Up, child)
	}
	in := newGrouping(true)
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			in.apply(list, said)
		}
	})
	b.Run("change", func(b *testing.B) {
		for b.Loop() {
			in.apply(sd.Change{Down: list.Up[:1]}, said)
			in.apply(sd.Change{Up: list.Up[:1]}, said)
		}
	})
}
