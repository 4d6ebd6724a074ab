package policy_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/policy"
)

func TestSet(t *testing.T) {
	for _, test := range []struct {
		name, before, set, after string
	}{
		{"in an empty document", "", "drain *", policy.Header + "\ndrain *\n"},
		{"at the end", "# a\n\ndrian\n", "drain *", "# a\n\ndrian\ndrain *\n"},
		{"without a final line end", "# a", "drain *", "# a\ndrain *\n"},
		{"in place", "drain\t192.0.2.1 by=a  \n# b\n weight * 5\n", "drain 192.0.2.1 by=b",
			"drain 192.0.2.1 by=b\n# b\n weight * 5\n"},
		{"another form of the selector", "drain 2001:DB8::1/128 by=a\n", "drain 2001:db8::1",
			"drain 2001:db8::1\n"},
		{"in the last line", "weight * 5\ndrain *", "drain * by=a", "weight * 5\ndrain * by=a"},
		{"another verb", "withdraw *\n", "drain *", "withdraw *\ndrain *\n"},
		{"in place of several", "drain * by=a\n# b\ndrain * by=b\n# c\n", "drain *",
			"# b\ndrain *\n# c\n"},
		{"an expired one", "drain * until=2020-01-01T00:00:00Z\n", "drain *", "drain *\n"},
		{"a wrong one stays", "drain * unt=1\n", "drain *", "drain * unt=1\ndrain *\n"},
		{"CRLF", "# a\r\ndrain * by=a\r\n", "drain *", "# a\r\ndrain *\r\n"},
		{"CRLF, at the end", "# a\r\n# b", "drain *", "# a\r\n# b\r\ndrain *\r\n"},
		{"a weight that decides in place", "weight 192.0.2.1 1\nweight 192.0.3.0/24 5\n",
			"weight 192.0.2.1 2",
			"weight 192.0.2.1 2\nweight 192.0.3.0/24 5\n"},
		{"a weight that a later line covers", "weight 192.0.2.1 1\nweight zone=a 5\n",
			"weight 192.0.2.1 2",
			"weight zone=a 5\nweight 192.0.2.1 2\n"},
		{"a drain that a later line covers", "drain 192.0.2.1\ndrain zone=a\n",
			"drain 192.0.2.1 by=a",
			"drain 192.0.2.1 by=a\ndrain zone=a\n"},
		{"a weight and another port's", "weight 192.0.2.1:1 1\nweight 192.0.2.1:2 5\n",
			"weight 192.0.2.1:1 2", "weight 192.0.2.1:1 2\nweight 192.0.2.1:2 5\n"},
		{"a weight and another zone's", "weight zone=a 1\nweight zone=b 5\n", "weight zone=a 2",
			"weight zone=a 2\nweight zone=b 5\n"},
		{"zones by name", "zone a 192.0.2.0/24\nzone b 2001:db8::/32\n", "zone a 192.0.3.0/24",
			"zone a 192.0.3.0/24\nzone b 2001:db8::/32\n"},
		{"a zone that a later line covers", "zone a 192.0.2.0/24\nzone b 192.0.0.0/16\n",
			"zone a 192.0.3.0/24",
			"zone b 192.0.0.0/16\nzone a 192.0.3.0/24\n"},
	} {
		header := policy.Header + "\n"
		if strings.Contains(test.before, "\r\n") {
			header = policy.Header + "\r\n"
		}
		d, want := parse(t, header+test.before), header+test.after
		if test.before == "" {
			d, want = policy.Document{}, test.after
		}
		text := d.String()
		have, err := d.Set(rule(t, test.set), now)
		if err != nil || have.String() != want {
			t.Errorf("%s: want %q, have %q, %v", test.name, want, have, err)
		}
		equal(t, test.name+": the document before", text, d.String())
	}
}

func TestSetRefused(t *testing.T) {
	d := document(t, "share v=1 60% until=2026-12-01T07:00:00Z", "share v=2 40%")
	full := document(t, strings.Repeat("#", policy.MaxSize-len(policy.Header)-9))
	star := selector(t, "*")
	for _, test := range []struct {
		name   string
		d      policy.Document
		rule   policy.Rule
		column int
		words  string
	}{
		{"no selector", d, policy.Rule{Verb: policy.Drain}, 7, "selector is missing"},
		{"the zero rule", d, policy.Rule{}, 6, "name of the zone is missing"},
		{"weight", d, policy.Rule{Verb: policy.Weight, Selector: star, Weight: 1001}, 10,
			"0 to 1000"},
		{"share", d, policy.Rule{Verb: policy.Share, Selector: star, Share: 10001}, 9,
			"0% to 100%"},
		{"line end", d, policy.Rule{Verb: policy.Drain, Selector: star, Reason: "a\nb"}, 16,
			"no printable"},
		{"line end at the end", d, policy.Rule{Verb: policy.Drain, Selector: star, By: "a\n"}, 12,
			"no printable"},
		{"escape", d, policy.Rule{Verb: policy.Drain, Selector: star, By: "\x1b"}, 12,
			"no printable"},
		{"year", d, policy.Rule{Verb: policy.Drain, Selector: star, Until: now.AddDate(9000, 0, 0)},
			15, "want a time"},
		{"a second rule in the zone", d, policy.Rule{Verb: policy.Zone, Zone: "a\ndrain *"}, 7,
			"no printable"},
		{"share over 100 %", d, rule(t, "share v=3 1%"), 11, "101%"},
		{"a share that makes a later one wrong", d, rule(t, "share v=1 61%"), 11, "101%"},
		{"too long", full, rule(t, "drain *"), 1, "65536 bytes"},
	} {
		next, err := test.d.Set(test.rule, now)
		var p *policy.Problem
		if !errors.As(err, &p) || p.Column != test.column ||
			!strings.Contains(p.Cause, test.words) {
			t.Errorf("%s: want column %d: …%s…, have %v",
				test.name, test.column, test.words, err)
		}
		equal(t, test.name+": the document", test.d.String(), next.String())
	}
	if _, err := d.Set(rule(t, "share v=3 60%"), now.Add(time.Hour)); err != nil {
		t.Errorf("a share beside one that has expired: want nil, have %v", err)
	}
	wrong := document(t, "share v=1 60%", "share v=2 60%")
	if _, err := wrong.Set(rule(t, "drain *"), now); err != nil {
		t.Errorf("a drain in a document with a wrong share: want nil, have %v", err)
	}
}

func TestRemove(t *testing.T) {
	d := document(t, "# a", "drain 192.0.2.1", "drain 192.0.2.1/32 by=a", "withdraw 192.0.2.1",
		"drain 192.0.2.1:8897",
		"weight 192.0.2.1 5", "drain 192.0.2.1 x")
	next, rules := d.Remove(selector(t, "192.0.2.1"), policy.Drain, policy.Withdraw)
	equal(t, "document",
		policy.Header+"\n# a\ndrain 192.0.2.1:8897\nweight 192.0.2.1 5\ndrain 192.0.2.1 x\n",
		next.String())
	equal(t, "removed", 3, len(rules))
	equal(t, "line", 3, rules[0].Line)
	next, rules = d.Remove(selector(t, "192.0.2.2"), policy.Drain)
	equal(t, "nothing to remove", true, next.String() == d.String() && len(rules) == 0)
}

func TestStillDrained(t *testing.T) {
	d := document(t, "drain 192.0.2.0/24", "withdraw v=2", "drain 192.0.2.1:8897", "drain zone=b",
		"drain 192.0.2.2 until=2026-12-01T06:00:00Z", "zone b 2001:db8::/32",
		"drain 203.0.113.0/24")
	members := []policy.Entry{entry(alice, "v=2"), entry(bob, ""), entry(carol, "")}
	for s, want := range map[string][]int{
		alice:              {2, 3, 4},
		bob:                {2},
		"192.0.2.9:1":      {2}, // not registered
		"192.0.2.0/25":     {2, 3, 4},
		"192.0.0.0/16":     {2, 3, 4},
		"zone=b":           {5},
		carol:              {5},
		"v=2":              {3, 4},
		"*":                {2, 3, 4, 5},
		"198.51.100.1":     nil,
		"203.0.113.128/25": {8},
		"203.0.112.0/20":   nil,
	} {
		var lines []int
		for _, r := range d.StillDrained(selector(t, s), members, now) {
			lines = append(lines, r.Line)
		}
		equal(t, "lines that drain "+s, want, lines)
	}
}

func TestPrune(t *testing.T) {
	d := document(t, "drain 192.0.2.1 until=2026-12-01T05:00:00Z",
		"drain 192.0.2.2 until=2026-11-30T06:00:00Z",
		"drain 192.0.2.3", "drain 192.0.2.4 until=2026-11-30T06:00:01Z",
		"# until=2020-01-01T00:00:00Z")
	next, rules := d.Prune(now)
	equal(t, "dropped", true, len(rules) == 1 && rules[0].Line == 3)
	equal(t, "kept", 3, len(next.Rules()))
}

func TestVersion(t *testing.T) {
	d := document(t, "drain *", "# version 4", "#versions 5")
	with := d.WithVersion(7)
	equal(t, "with a version", policy.Header+"\ndrain *\n# version 4\n#versions 5\n#version 7\n",
		with.String())
	equal(t, "in the place of others", policy.Header+"\n#version 7\ndrain *\n#version 7\n",
		document(t, "#version 3", "drain *", "#version 4").WithVersion(7).String())
	without, n, found, err := with.CutVersion()
	equal(t, "without", policy.Header+"\ndrain *\n# version 4\n#versions 5\n", without.String())
	equal(t, "version", true, n == 7 && found && err == nil)
	_, _, found, err = without.CutVersion()
	equal(t, "no version", true, !found && err == nil)
	equal(t, "of no policy", policy.Header+"\n#version 0\n",
		policy.Document{}.WithVersion(0).String())
	equal(t, "CRLF", policy.Header+"\r\ndrain *\r\n#version 2",
		parse(t, policy.Header+"\r\ndrain *").WithVersion(2).String())
	equal(t, "no line end", policy.Header+"\n#version 2",
		parse(t, policy.Header).WithVersion(2).String())
	for _, text := range []string{"", "\n", "\r\ndrain *", "\ndrain *\r", "\r\ndrain *\n"} {
		text = policy.Header + text
		back, _, _, _ := parse(t, text).WithVersion(2).CutVersion()
		equal(t, "there and back", text, back.String())
	}
	for _, text := range []string{"#version", "#version x", "#version 1 2", "#version -1",
		"#version 9223372036854775808"} {
		_, _, found, err := document(t, text).CutVersion()
		var p *policy.Problem
		if found || !errors.As(err, &p) || p.Line != 2 {
			t.Errorf("%q: want a problem in line 2, have %v", text, err)
		}
	}
	_, _, _, err = document(t, "#version 1", "#version 1", "#version 2").CutVersion()
	equal(t, "two versions", "policy: line 4, column 1: 1 stands above already", err.Error())
}

// A policy of the greatest size has a copy, which can be read; one that is a byte longer cannot.
func TestParseCopy(t *testing.T) {
	filled := func(size int) string {
		text := policy.Header + "\r\ndrain *\r\n#"
		return text + strings.Repeat("x", size-len(text))
	}
	d := parse(t, filled(policy.MaxSize))
	copied, err := policy.ParseCopy(d.WithVersion(math.MaxInt64).String())
	equal(t, "error", nil, err)
	cut, n, found, err := copied.CutVersion()
	equal(t, "version", true, n == math.MaxInt64 && found && err == nil)
	equal(t, "document", d.String(), cut.String())

	_, want := policy.Parse(filled(policy.MaxSize + 1))
	for _, text := range []string{filled(policy.MaxSize + 1), filled(2 * policy.MaxSize)} {
		copied, err = policy.ParseCopy(text)
		equal(t, "too long", true, errors.Is(err, policy.ErrUnreadable) && copied.IsEmpty())
	}
	_, err = policy.ParseCopy(filled(policy.MaxSize + 1))
	equal(t, "too long", want.Error(), err.Error())
	none, err := policy.ParseCopy("")
	equal(t, "nothing", true, none.IsEmpty() && err == nil)
}
