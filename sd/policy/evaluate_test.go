package policy_test

import (
	"math"
	"testing"
	"time"

	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/policy/impact"
)

func TestEffective(t *testing.T) {
	plain := policy.Effective{Weight: 100}
	drained := policy.Effective{Weight: 100, Drained: true}
	for _, test := range []struct {
		name       string
		lines      []string
		instance   string
		attributes string
		want       policy.Effective
	}{
		{"no line", nil, alice, "", plain},
		{"ip:port", []string{"drain 192.0.2.1:8897"}, alice, "", drained},
		{"another port", []string{"drain 192.0.2.1:8898"}, alice, "", plain},
		{"ip", []string{"drain 192.0.2.1"}, alice, "", drained},
		{"another ip", []string{"drain 192.0.2.1"}, "192.0.2.10:8897", "", plain},
		{"CIDR", []string{"drain 192.0.2.0/30"}, alice, "", drained},
		{"outside of it", []string{"drain 192.0.2.0/30"}, "192.0.2.4:8897", "", plain},
		{"below it", []string{"drain 192.0.2.0/30"}, "192.0.1.255:8897", "", plain},
		{"IPv6", []string{"drain 2001:db8::/64"}, carol, "", drained},
		{"IPv6 ip:port", []string{"drain [2001:db8::3]:8897"}, carol, "", drained},
		{"all IPv4 and IPv6", []string{"drain 0.0.0.0/0"}, carol, "", plain},
		{"all IPv6 and IPv4", []string{"drain ::/0"}, alice, "", plain},
		{"the highest IPv4", []string{"drain 255.255.255.255"}, "255.255.255.255:1", "", drained},
		{"IPv6 after the highest IPv4", []string{"drain 0.0.0.0/0"}, "[::1]:1", "", plain},
		{"zone", []string{"drain zone=a"}, alice, "zone=a",
			policy.Effective{Weight: 100, Drained: true, Zone: "a"}},
		{"another zone", []string{"drain zone=a"}, alice, "zone=b", policy.Effective{Weight: 100,
			Zone: "b"}},
		{"tag", []string{"drain v=2"}, alice, "v=2", drained},
		{"another value", []string{"drain v=2"}, alice, "v=20", plain},
		{"every", []string{"drain *"}, alice, "", drained},
		{"withdrawn", []string{"withdraw *"}, alice, "",
			policy.Effective{Weight: 100, Drained: true, Withdrawn: true}},
		{"last weight", []string{"weight * 1", "weight 192.0.2.1 2", "weight 192.0.2.0/24 3"},
			alice, "",
			policy.Effective{Weight: 3}},
		{"not the most specific", []string{"weight 192.0.2.1:8897 1", "weight * 0"}, alice, "",
			policy.Effective{}},
		{"nested networks", []string{"weight 192.0.2.0/24 1", "weight 192.0.2.0/28 2",
			"weight 192.0.0.0/16 3",
			"weight 192.0.2.0/30 4"}, "192.0.2.8:1", "", policy.Effective{Weight: 3}},
		{"zone is first", []string{"weight zone=b 7", "drain zone=a", "zone b 192.0.2.0/24"}, alice,
			"zone=a",
			policy.Effective{Weight: 7, Zone: "b"}},
		{"zone by address alone", []string{"zone b 2001:db8::/32"}, alice, "zone=a",
			policy.Effective{Weight: 100, Zone: "a"}},
		{"last zone", []string{"zone b 192.0.2.1/32", "zone c 10.0.0.0/8 192.0.2.0/24"}, alice, "",
			policy.Effective{Weight: 100, Zone: "c"}},
		{"share", []string{"share v=1 10%", "share v=2 10%", "share zone=a 0%"}, alice, "v=2",
			policy.Effective{Weight: 100, Side: 2}},
		{"last share", []string{"share v=1 10%", "share v=2 10%", "share zone=a 0%"}, alice,
			"v=2 zone=a",
			policy.Effective{Weight: 100, Side: 3, Zone: "a"}},
		{"expired", []string{"drain * until=2026-12-01T06:00:00Z"}, alice, "", plain},
		{"not yet expired", []string{"drain * until=2026-12-01T06:00:00.000000001Z"}, alice, "",
			drained},
		{"expired uncovers", []string{"weight * 5", "weight * 6 until=2026-12-01T05:00:00Z"}, alice,
			"",
			policy.Effective{Weight: 5}},
		{"no instance, by address", []string{"drain 0.0.0.0/0"}, "web:1", "", plain},
		{"no instance, every", []string{"drain *"}, "web:1", "", drained},
		{"a zone in the address", []string{"drain ::/0"}, "[fe80::1%eth0]:1", "", plain},
	} {
		p := document(t, test.lines...).Compile(now)
		equal(t, test.name, test.want, p.Effective(entry(test.instance, test.attributes)))
	}
}

func TestNextExpiry(t *testing.T) {
	d := document(t,
		"drain 192.0.2.1 until=2026-12-01T08:00:00Z",
		"weight * 5 until=2026-12-01T07:00:00Z",
		"drain * until=2026-12-01T05:00:00Z",
		"drain 192.0.2.2")
	for _, want := range []time.Time{now.Add(time.Hour), now.Add(2 * time.Hour)} {
		have, ok := d.Compile(want.Add(-time.Nanosecond)).NextExpiry()
		equal(t, "next expiry", true, ok && have.Equal(want))
	}
	_, ok := d.Compile(now.Add(2 * time.Hour)).NextExpiry()
	equal(t, "none is left", false, ok)
	_, ok = (*policy.Policy)(nil).NextExpiry()
	equal(t, "none without a policy", false, ok)
}

func TestDeciding(t *testing.T) {
	p := document(t, "drain 192.0.2.0/24", "drain * by=ops", "weight zone=a 3").Compile(now)
	have, ok := p.Deciding(entry(alice, ""), policy.Drain)
	equal(t, "drain", true, ok && have.Line == 3 && have.By == "ops")
	_, ok = p.Deciding(entry(alice, ""), policy.Weight)
	equal(t, "weight", false, ok)
	_, ok = (*policy.Policy)(nil).Deciding(entry(alice, ""), policy.Drain)
	equal(t, "without a policy", false, ok)
}

func TestSides(t *testing.T) {
	p := document(t, "share v=2 10%", "share v=3 20%", "share v=2 12.5%").Compile(now)
	equal(t, "sides", []policy.Side{{Share: 6750}, {Share: 1250, Selector: selector(t, "v=2")},
		{Share: 2000, Selector: selector(t, "v=3")}}, p.Sides())
	equal(t, "sides of no policy", []policy.Side{{Share: 10_000}}, (*policy.Policy)(nil).Sides())
}

func TestSplit(t *testing.T) {
	for _, test := range []struct {
		shares []int
		empty  []bool
		want   []float64
	}{
		{[]int{10000}, []bool{false}, []float64{1}},
		{[]int{10000}, []bool{true}, []float64{0}},
		{[]int{9000, 1000}, []bool{false, false}, []float64{0.9, 0.1}},
		{[]int{9000, 1000}, []bool{true, false}, []float64{0, 1}},
		{[]int{9000, 1000}, []bool{false, true}, []float64{1, 0}},
		{[]int{5000, 2000, 3000}, []bool{true, false, false}, []float64{0, 0.4, 0.6}},
		{[]int{0, 10000, 0}, []bool{false, true, false}, []float64{0.5, 0, 0.5}},
		{[]int{0, 10000}, []bool{false, false}, []float64{0, 1}},
	} {
		var sides []policy.Side
		for _, share := range test.shares {
			sides = append(sides, policy.Side{Share: share})
		}
		have := policy.Split(sides, func(i int) bool { return test.empty[i] })
		equal(t, "parts", test.want, have)
	}
}

func TestTraffic(t *testing.T) {
	entries := []policy.Entry{entry(alice, "v=1"), entry(bob, "v=1"), entry(carol, "v=2")}
	for _, test := range []struct {
		name             string
		lines            []string
		want             []float64
		drained, weights bool // suspended
	}{
		{"alike", nil, []float64{1. / 3, 1. / 3, 1. / 3}, false, false},
		{"drain", []string{"drain v=2"}, []float64{0.5, 0.5, 0}, false, false},
		{"withdraw", []string{"withdraw v=1"}, []float64{0, 0, 1}, false, false},
		{"weight", []string{"weight v=2 300"}, []float64{0.2, 0.2, 0.6}, false, false},
		{"share", []string{"share v=2 10%"}, []float64{0.45, 0.45, 0.1}, false, false},
		{"share and weight", []string{"share v=2 10%", "weight 192.0.2.1 200"}, []float64{0.6, 0.3,
			0.1}, false, false},
		{"share of the drained", []string{"share v=2 10%", "drain v=2"}, []float64{0.5, 0.5, 0},
			false, false},
		{"share of weight 0", []string{"share v=2 10%", "weight v=2 0"}, []float64{0.5, 0.5, 0},
			false, false},
		{"share of nobody", []string{"share v=3 90%"}, []float64{1. / 3, 1. / 3, 1. / 3}, false,
			false},
		{"share of all", []string{"share * 10%"}, []float64{1. / 3, 1. / 3, 1. / 3}, false, false},
		{"share of nothing", []string{"share v=2 0%"}, []float64{0.5, 0.5, 0}, false, false},
		{"all drained", []string{"drain *", "weight v=2 300"}, []float64{0.2, 0.2, 0.6}, true,
			false},
		{"all withdrawn", []string{"withdraw *"}, []float64{0, 0, 0}, true, false},
		{"withdrawn, and the rest drained", []string{"withdraw v=1", "drain v=2"},
			[]float64{0, 0, 1}, true, false},
		{"withdrawn, and the rest drained, of weight 0", []string{"withdraw 192.0.2.1", "drain *",
			"weight * 0"}, []float64{0, 0.5, 0.5}, true, false},
		{"no weight", []string{"weight * 0"}, []float64{1. / 3, 1. / 3, 1. / 3}, false, true},
		{"no weight beside the drained", []string{"weight v=1 0", "drain v=2"}, []float64{0.5, 0.5,
			0}, false, true},
		{"no weight, all drained", []string{"weight * 0", "drain *"}, []float64{1. / 3, 1. / 3,
			1. / 3}, true, false},
	} {
		p := document(t, test.lines...).Compile(now)
		have, tally := impact.Traffic(p, p.EffectiveAll(entries))
		for i := range have {
			if math.Abs(have[i]-test.want[i]) > 1e-9 {
				t.Errorf("%s: want %v, have %v", test.name, test.want, have)
			}
		}
		equal(t, test.name+": drains suspended", test.drained, tally.DrainsSuspended())
		equal(t, test.name+": weights suspended", test.weights, tally.WeightsSuspended())
	}
}

func TestTally(t *testing.T) {
	p := document(t, "withdraw 192.0.2.1", "drain 192.0.2.2", "weight v=2 0").Compile(now)
	entries := []policy.Entry{entry(alice, ""), entry(bob, ""), entry(carol, "v=2"),
		entry("192.0.2.9:1", "")}
	_, tally := impact.Traffic(p, p.EffectiveAll(entries))
	equal(t, "tally", policy.Tally{Instances: 4, Drained: 2, Withdrawn: 1, Weighted: 1}, tally)
	for _, e := range entries {
		tally.Remove(p.Effective(e))
	}
	equal(t, "tally of nobody", policy.Tally{}, tally)
	equal(t, "nobody is suspended", false, tally.DrainsSuspended() || tally.WeightsSuspended())
}
