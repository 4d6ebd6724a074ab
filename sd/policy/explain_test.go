package policy_test

import (
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/policy"
)

func TestExplain(t *testing.T) {
	d := document(t,
		`drain 192.0.2.1:8897 until=2026-12-01T08:00:00Z by=ops reason="rack 7"`,
		"drain zone=b until=2026-12-01T05:00:00Z",
		"drain zone=a", "drian *",
		"zone b 192.0.2.0/25",
		"weight * 5", "weight v=2 50",
		"share * 60%", "share v=2 60%", "share v=1 10%")
	e := entry(alice, "zone=a v=2")
	e.Attributes.Since = now.Add(-time.Hour)
	equal(t, "explained", `instance   192.0.2.1:8897
own        weight 100, zone a, v=2, since 2026-12-01T05:00:00Z
zone       b
           line 6 decides: zone b 192.0.2.0/25
drained    yes
           line 2 decides: drain 192.0.2.1:8897 until=2026-12-01T08:00:00Z by=ops reason="rack 7"
           line 3 expired: drain zone=b until=2026-12-01T05:00:00Z
withdrawn  no
share      60% for *
           line 9 decides: share * 60%
           line 10 wrong: share v=2 60%
weight     50
           line 7 overridden: weight * 5
           line 8 decides: weight v=2 50
`, d.Explain(e, now).String())

	equal(t, "explained without a policy", `instance   [2001:db8::3]:8897
own        weight 100, zone none
zone       none
drained    no
withdrawn  no
share      100% for the rest
weight     100
`, policy.Document{}.Explain(entry(carol, ""), now).String())

	withdrawn := document(t, "withdraw *").Explain(entry(carol, ""), now).String()
	if !strings.Contains(withdrawn, "drained    yes\nwithdrawn  yes\n           line 2 decides") {
		t.Error(withdrawn)
	}
	hostile := policy.Document{}.Explain(entry("\x1b[2J", "zone=\x1b v=\x1b"), now).String()
	if strings.Contains(hostile, "\x1b") {
		t.Errorf("want no escape, have %q", hostile)
	}
}

// Of an instance that is not registered nothing is made up.
func TestExplainAbsent(t *testing.T) {
	const own = "own        not registered: weight, zone and tags are not known\n"
	for _, test := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"no line", nil, `zone       unknown: the server's own
drained    no
withdrawn  no
share      100% for the rest
weight     unknown: the server's own
`},
		{"withdrawn by zone", []string{"withdraw zone=b by=root"}, `zone       unknown: the server's own
drained    unknown: line 2 would, of a server that matches: withdraw zone=b by=root
withdrawn  unknown: line 2 would, of a server that matches: withdraw zone=b by=root
share      100% for the rest
weight     unknown: the server's own
`},
		{"a zone of the policy's", []string{"zone a 192.0.2.0/24", "withdraw zone=b", "drain zone=a"}, `zone       a
           line 2 decides: zone a 192.0.2.0/24
drained    yes
           line 4 decides: drain zone=a
withdrawn  no
share      100% for the rest
weight     unknown: the server's own
`},
		{"by address", []string{"withdraw 192.0.2.1:8897", "drain v=2", "weight v=2 5",
			"weight 192.0.2.0/24 7", "share v=2 10%", "share * 20%"}, `zone       unknown: the server's own
drained    yes
withdrawn  yes
           line 2 decides: withdraw 192.0.2.1:8897
share      20% for *
           line 7 decides: share * 20%
weight     7
           line 5 decides: weight 192.0.2.0/24 7
`},
		{"drained, and perhaps withdrawn", []string{"withdraw v=2", "drain *"},
			`zone       unknown: the server's own
drained    yes
           line 3 decides: drain *
withdrawn  unknown: line 2 would, of a server that matches: withdraw v=2
share      100% for the rest
weight     unknown: the server's own
`},
		{"by tag after all", []string{"weight * 7", "weight v=2 5", "weight v=3 6", "share v=2 10%",
			"drain v=2 until=2026-12-01T05:00:00Z"}, `zone       unknown: the server's own
drained    no
withdrawn  no
share      unknown: line 5 would, of a server that matches: share v=2 10%
weight     unknown: line 3 would, of a server that matches: weight v=2 5
           line 4 would, of a server that matches: weight v=3 6
           line 2 decides otherwise: weight * 7
`},
	} {
		have := document(t, test.lines...).ExplainAbsent(alice, now).String()
		equal(t, test.name, "instance   192.0.2.1:8897\n"+own+test.want, have)
	}
}

func TestCheck(t *testing.T) {
	d := document(t,
		"drain 192.0.2.1:8897", "drain 192.0.2.1:8898", "drain 192.0.2.2", "drain 192.0.2.3",
		"drain 2001:db8::/64", "drain 2001:db8::/127", "drain zone=a", "drain zone=b",
		"drain zone=c",
		"drain v=2", "drain v=3", "drain *", "drain * until=2026-12-01T06:00:00Z",
		"zone c 203.0.113.0/24 192.0.2.2/31", "zone d 198.51.100.0/24", "drain  192.0.2.1/24",
		"share * 101%", "share v=2 60%", "share * 50%")
	members := []policy.Entry{entry(alice, "zone=b v=2"), entry(bob, "zone=a"), entry(carol, "")}
	var have []string
	for _, p := range d.Check(members, now) {
		have = append(have, p.Error())
	}
	equal(t, "problems", []string{
		"policy: line 3, column 1: no instance matches this line",
		"policy: line 5, column 1: no instance matches this line",
		"policy: line 7, column 1: no instance matches this line",
		"policy: line 8, column 1: no instance matches this line",
		"policy: line 12, column 1: no instance matches this line",
		"policy: line 14, column 1: expired at 2026-12-01T06:00:00Z",
		"policy: line 16, column 1: no instance matches this line",
		`policy: line 17, column 8: selector "192.0.2.1/24": bits are set beyond the length; want 192.0.2.0/24, or the address alone`,
		`policy: line 18, column 9: "101%": want a share of 0% to 100%`,
		"policy: line 20, column 9: the shares up to here are 110%; want at most 100%",
	}, have)
	equal(t, "nobody there", 2, len(document(t, "drain *", "zone a ::/0").Check(nil, now)))
}

func TestDiff(t *testing.T) {
	a := document(t, "# a", "drain 192.0.2.1", "weight * 5", "# b")
	for _, test := range []struct{ before, after, want string }{
		{a.String(), a.String(), ""},
		{"", policy.Header + "\ndrain *\n", "+ #daytime-policy 1\n+ drain *\n"},
		{policy.Header + "\n# a\n# b\n# c\n# d\n", policy.Header + "\n# b\n# x\n# d\n# c\n",
			"- # a\n- # c\n+ # x\n+ # c\n"},
		{policy.Header, policy.Header + "\n# \x1b[2J\u202e\té\n", "+ # \\x1b[2J\\u202e\\té\n"},
	} {
		have := policy.Diff(parse(t, test.before), parse(t, test.after))
		if have != test.want {
			t.Errorf("%q, %q:\nwant %s\nhave %s", test.before, test.after, test.want, have)
		}
	}
	large := parse(t, policy.Header+strings.Repeat("\n#a", 9000))
	other := parse(t, policy.Header+strings.Repeat("\n#b", 9000))
	equal(t, "lines of a large difference", 18000, strings.Count(policy.Diff(large, other), "\n"))
}

func TestChangedBy(t *testing.T) {
	before := document(t, "drain 192.0.2.1 by=ann", "drain 192.0.2.2 by=bob")
	after := document(t, "# x", "drain 192.0.2.1 by=ann", "drain 192.0.2.2 by=zoe",
		"drain * by=cyd", "weight * 5 by=cyd",
		"weight 192.0.2.1 5")
	equal(t, "names", []string{"cyd", "zoe"}, policy.ChangedBy(before, after))
}
