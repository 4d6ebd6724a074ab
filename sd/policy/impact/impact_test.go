package impact_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/policy/impact"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is nothing to rules without an end.
var now = time.Time{}

// compiled are lines below a header.
func compiled(t *testing.T, lines ...string) *policy.Policy {
	t.Helper()
	d, err := policy.Parse(policy.Header + "\n" + strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if p := d.Problems(now); len(p) > 0 {
		t.Fatal(p)
	}
	return d.Compile(now)
}

func equal[T comparable](t *testing.T, what string, want, have T) {
	t.Helper()
	if want != have {
		t.Errorf("%s:\nwant %v\nhave %v", what, want, have)
	}
}

// instances returns n of them.
func instances(n int) []policy.Entry {
	entries := make([]policy.Entry, n)
	for i := range entries {
		entries[i] = policy.Entry{Instance: fmt.Sprintf("10.%d.%d.%d:8897", i>>16, i>>8&255, i&255)}
	}
	return entries
}

// Refused is a change that leaves fewer than half of the weight, and less than there was.
func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name          string
		before, after []string
		left          float64
		refused       bool
	}{
		{"nothing", nil, nil, 1, false},
		{"one of four", nil, []string{"drain 10.0.0.0"}, 0.75, false},
		{"half", nil, []string{"drain 10.0.0.0/31"}, 0.5, false},
		{"three of four", nil, []string{"drain 10.0.0.0/31", "drain 10.0.0.2"}, 0.25, true},
		{"step by step", []string{"drain 10.0.0.0/31"}, []string{"drain 10.0.0.0/31",
			"drain 10.0.0.2"}, 0.25, true},
		{"withdraw", nil, []string{"withdraw *"}, 0, true},
		{"a heavy one", []string{"weight 10.0.0.0 1000"}, []string{"weight 10.0.0.0 1000",
			"drain 10.0.0.0"}, 300. / 1300, true},
		{"a light half", []string{"weight 10.0.0.0/31 10"}, []string{"weight 10.0.0.0/31 10",
			"drain 10.0.0.0/31"},
			200. / 220, false},
		{"better than before", []string{"drain *"}, []string{"drain 10.0.0.0/31", "drain 10.0.0.2"},
			0.25, false},
		{"as bad as before", []string{"drain *"}, []string{"drain * by=a"}, 0, false},
		{"weights of 0", nil, []string{"weight * 0"}, 0, true},
		{"a weight of 0 for three", nil, []string{"weight 10.0.0.0/31 0", "weight 10.0.0.2 0"},
			0.25, true},
		{"all get more", nil, []string{"weight * 1000"}, 1, false},
		{"a share of nothing", nil, []string{"share 10.0.0.0/31 0%", "share 10.0.0.2 0%"}, 0.25,
			true},
		{"a share of all", nil, []string{"share 10.0.0.0 100%"}, 0.25, true},
		{"a share of some", nil, []string{"share 10.0.0.0 90%"}, 1, false},
		{"a share of all for nobody", nil, []string{"share v=2 100%"}, 1, false},
		{"a share of nothing for all", nil, []string{"share * 0%"}, 0, true},
		{"drained beside a share of nothing", []string{"share 10.0.0.0/31 0%"},
			[]string{"share 10.0.0.0/31 0%", "drain 10.0.0.2/31"}, 0, true},
		{"withdrawn beside a share of nothing", []string{"share 10.0.0.0/31 0%"},
			[]string{"share 10.0.0.0/31 0%", "withdraw 10.0.0.2/31"}, 0, true},
		{"without weight beside a share of nothing", []string{"share 10.0.0.0/31 0%"},
			[]string{"share 10.0.0.0/31 0%", "weight 10.0.0.2/31 0"}, 0, true},
		{"drained beside two shares of nothing", []string{"share 10.0.0.0 0%", "share 10.0.0.1 0%"},
			[]string{"share 10.0.0.0 0%", "share 10.0.0.1 0%", "drain 10.0.0.2/31"}, 0, true},
		{"a share that is emptied beside a share of nothing",
			[]string{"share 10.0.0.0/31 0%", "share 10.0.0.2/31 100%"},
			[]string{"share 10.0.0.0/31 0%", "share 10.0.0.2/31 100%", "drain 10.0.0.2/31"}, 0, true},
		{"a share that is emptied beside another", []string{"share 10.0.0.0/31 1%"},
			[]string{"share 10.0.0.0/31 1%", "drain 10.0.0.2/31"}, 0.5, false},
		{"a share of all that is emptied beside the rest", []string{"share 10.0.0.0/31 100%"},
			[]string{"share 10.0.0.0/31 100%", "drain 10.0.0.0/31"}, 0.5, false},
		{"the end of a share of nothing", []string{"share 10.0.0.0/31 0%", "drain 10.0.0.2/31"},
			[]string{"drain 10.0.0.2/31"}, 0.5, false},
		{"drained without weight", []string{"weight * 0"}, []string{"weight * 0", "drain *"}, 0,
			true},
		{"three of four without weight", []string{"weight * 0"},
			[]string{"weight * 0", "drain 10.0.0.0/31", "drain 10.0.0.2"}, 0.25, true},
		{"drained, though a share of nothing for all is not obeyed", []string{"share * 0%"},
			[]string{"share * 0%", "drain 10.0.0.0/31", "drain 10.0.0.2"}, 0, true},
		{"a quarter of them drained", []string{"share * 0%"},
			[]string{"share * 0%", "drain 10.0.0.0"}, 0, false},
		{"withdrawn, though a share of nothing for all is not obeyed", []string{"share * 0%"},
			[]string{"share * 0%", "withdraw *"}, 0, true},
		{"withdrawn, though drains are not obeyed", []string{"drain *"},
			[]string{"drain *", "withdraw 10.0.0.0/31", "withdraw 10.0.0.2"}, 0, true},
		{"a zone", nil, []string{"zone a 10.0.0.0/8"}, 1, false},
	} {
		have := impact.Compare(compiled(t, test.before...), compiled(t, test.after...), instances(4))
		equal(t, test.name+": left", test.left, have.Left)
		equal(t, test.name+": refused", test.refused, have.Refused)
	}
	have := impact.Compare(nil, compiled(t, "drain *"), nil)
	equal(t, "nobody there", false, have.Refused)
}

func TestImpact(t *testing.T) {
	after := compiled(t, "drain 10.0.0.0", "weight 10.0.0.1 50", "zone a 10.0.0.0/31",
		"share 10.0.0.2 10%", "drain v=1")
	have := impact.Compare(nil, after, instances(4))
	equal(t, "affected", 3, len(have.Affected))
	equal(t, "printed", `affects 3 of 4 instances, which get 75.0% of the calls, and 40.0% after
  10.0.0.0:8897: undrained -> drained, zone none -> a
  10.0.0.1:8897: weight 100 -> 50, zone none -> a
  10.0.0.2:8897: share the rest -> 10% of 10.0.0.2
leaves 62.5% of the weight
`, have.String())

	one := impact.Compare(nil, compiled(t, "weight * 50"), instances(1)).String()
	equal(t, "one", true, strings.HasPrefix(one, "affects 1 of 1 instance, which"))

	back := impact.Compare(after, nil, instances(4))
	equal(t, "what it is undone to", "drained -> undrained, zone a -> none",
		back.Affected[0].Changes)

	many := impact.Compare(nil, compiled(t, "drain *"), instances(30)).String()
	equal(t, "twenty are named", true,
		strings.Contains(many, "10.0.0.19:8897: undrained -> drained\n  and 10 more\n"))
}

// Drains are suspended where nobody else is left; who is withdrawn is not there to be picked.
func TestWhoIsLeft(t *testing.T) {
	for _, test := range []struct {
		before, after []string
		first, last   string
	}{
		{nil, []string{"drain *"}, "get 100.0% of the calls, and 100.0% after",
			"every instance is drained: drains are suspended"},
		{nil, []string{"withdraw *"}, "get 100.0% of the calls, and 0.0% after",
			"every instance is withdrawn: nobody is left in the registry"},
		{[]string{"drain 10.0.0.0"}, []string{"drain 10.0.0.0", "withdraw 10.0.0.1"},
			"get 100.0% of the calls, and 0.0% after",
			"every instance that is not withdrawn is drained: drains are suspended"},
		{[]string{"withdraw *"}, []string{"withdraw 10.0.0.0"},
			"get 0.0% of the calls, and 100.0% after", "leaves 50.0% of the weight"},
	} {
		have := impact.Compare(compiled(t, test.before...), compiled(t, test.after...),
			instances(2)).String()
		for _, want := range []string{test.first + "\n", test.last + "\n"} {
			if !strings.Contains(have, want) {
				t.Errorf("%v, then %v: want %q in\n%s", test.before, test.after, want, have)
			}
		}
	}
}
