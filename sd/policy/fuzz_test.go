package policy_test

import (
	"testing"
	"unicode/utf8"

	"example.com/daytime/sd/policy"
)

// Whatever the directory holds: it is unreadable, or comes out as it went in; each line that is not
// wrong says the same in canonical form; and nothing panics.
func FuzzParse(f *testing.F) {
	f.Add("")
	f.Add(policy.Header)
	f.Add(policy.Header + "\r\n" +
		"drain 192.0.2.10:8897 until=2026-12-01T06:00:00Z by=ops reason=\"rack \\\"7\"\r\n")
	f.Add(policy.Header + "\n#version 7\n" +
		"share v=2 10.5%\nshare * 90%\nweight zone=a 0\nzone a ::/0 0.0.0.0/0\n")
	f.Add(policy.Header + "\nwithdraw [2001:db8::1]:1 by=\"\\\\\"")
	f.Add(policy.Header + "\ndrain * until=9999-12-31T23:59:59-01:00")
	e := entry(alice, "zone=a v=2")
	f.Fuzz(func(t *testing.T, data string) {
		d, err := policy.Parse(data)
		if err != nil {
			if !d.IsEmpty() {
				t.Error("want an empty document beside an error")
			}
			return
		}
		if d.String() != data {
			t.Errorf("want %q, have %q", data, d)
		}
		for _, r := range d.Rules() {
			again := rule(t, r.String())
			again.Line = r.Line
			equal(t, r.String(), r, again)
		}
		for _, p := range d.Check([]policy.Entry{e}, now) {
			if p.Line < 1 || p.Column < 1 || !utf8.ValidString(p.Error()) {
				t.Errorf("problem %+v", p)
			}
		}
		if x := d.Explain(e, now); x.Effective != d.Compile(now).Effective(e) || x.String() == "" {
			t.Errorf("explained %v", x)
		}
		next, err := d.Set(rule(t, "drain 192.0.2.1 by=fuzz"), now)
		if err == nil && !next.Compile(now).Effective(e).Drained {
			t.Errorf("not drained by %q", next)
		}
		version, n, _, err := d.WithVersion(7).CutVersion()
		if err != nil || n != 7 ||
			version.Compile(now).Effective(e) != d.Compile(now).Effective(e) {
			t.Errorf("with a version: %q, %d, %v", version, n, err)
		}
		for i, r := range d.WithVersion(7).Rules() {
			equal(t, "the line of a rule in a copy", d.Rules()[i].Line, r.Line)
		}
		policy.Diff(d, next)
	})
}

func FuzzSelector(f *testing.F) {
	for _, s := range []string{"*", "192.0.2.1", "192.0.2.0/24", "[2001:db8::1]:1", "zone=a",
		"v=a=b", "::/0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		sel, err := policy.ParseSelector(s)
		if err != nil {
			return
		}
		if again, err := policy.ParseSelector(sel.String()); err != nil || again != sel {
			t.Errorf("%q: want %v, have %v, %v", s, sel, again, err)
		}
		rule(t, "drain "+s)
	})
}
