package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/policy"
)

// Each line is wrong in the column given, and the message holds the words.
func TestWrongLine(t *testing.T) {
	for _, test := range []struct {
		text   string
		column int
		words  string
	}{
		{`drian 192.0.2.1`, 1, `unknown verb "drian"; want zone, drain, withdraw, share or weight`},
		{`DRAIN 192.0.2.1`, 1, `unknown verb`},
		{"\t  drian 192.0.2.1", 4, `unknown verb`},
		{`drain`, 6, `the selector is missing`},
		{`drain `, 7, `the selector is missing`},
		{`drain until=2026-12-01T06:00:00Z`, 7, `the selector is missing before the options`},
		{`drain 192.0.2.1 192.0.2.2`, 17, `a comment has a line of its own`},
		{`drain 192.0.2.1 # rack 7`, 17, `a comment has a line of its own`},
		{`drain 192.0.2.1/25`, 7, `bits are set beyond the length; want 192.0.2.0/25`},
		{`drain 192.0.2.0/33`, 7, `not a CIDR`},
		{`drain 2001:db8::1/32`, 7, `want 2001:db8::/32`},
		{`drain ::ffff:192.0.2.1`, 7, `want 192.0.2.1`},
		{`drain [::ffff:192.0.2.1]:8897`, 7, `in the form of IPv6`},
		{`drain ::ffff:192.0.2.0/120`, 7, `in the form of IPv6`},
		{`drain fe80::1%eth0`, 7, `zone means nothing`},
		{`drain 0.0.0.0`, 7, `no instance has this address`},
		{`drain 224.0.0.1:8897`, 7, `no instance has this address`},
		{`drain 192.0.2.1:0`, 7, `port 0`},
		{`drain 192.0.2.1:65536`, 7, `want an ip:port`},
		{`drain 192.0.2.01`, 7, `want an ip:port`},
		{`drain web1:8897`, 7, `want an ip:port`},
		{`drain [2001:db8::1]`, 7, `want an ip:port`},
		{`drain zone=`, 7, `the value is empty`},
		{`drain zone=a=b`, 7, `has no =`},
		{`drain version=`, 7, `the value is empty`},
		{`drain weight=100`, 7, `reserved`},
		{`drain Version=2`, 7, `want a key such as version`},
		{`drain =2`, 7, `needs a key`},
		{`drain version="2"`, 7, `no quotes`},
		{`drain version='2'`, 7, `no quotes`},
		{`drain "192.0.2.1"`, 7, `want an ip:port`},
		{`drain é`, 7, `want an ip:port`},
		{`drain version=é x`, 17, `want until=`},
		{"drain 192.0.2.1\x00", 16, `"\x00" is no printable`},
		{"drain\u00a0192.0.2.1", 6, `"\u00a0"`},
		{"drain 192.0.2.1 reason=\"\x1b[31m\"", 25, `"\x1b"`},
		{"drain 192.0.2.1 reason=\"a\u202eb\"", 26, `"\u202e"`},
		{"drain 192.0.2.1\rdrain 192.0.2.2", 16, `"\r"`},
		{`weight 192.0.2.1`, 17, `a weight of 0 to 1000 is missing`},
		{`weight 192.0.2.1 1001`, 18, `want a weight of 0 to 1000`},
		{`weight 192.0.2.1 -1`, 18, `want a weight`},
		{`weight 192.0.2.1 +1`, 18, `want a weight`},
		{`weight 192.0.2.1 050`, 18, `want a weight`},
		{`weight 192.0.2.1 1.5`, 18, `want a weight`},
		{`weight 192.0.2.1 99999999999999999999`, 18, `want a weight`},
		{`weight 192.0.2.1 by=ops`, 18, `is missing before the options`},
		{`share zone=a 10`, 14, `want a share of 0% to 100%`},
		{`share zone=a 100.01%`, 14, `want a share`},
		{`share zone=a 0.001%`, 14, `want a share`},
		{`share zone=a 1e1%`, 14, `want a share`},
		{`share zone=a NaN%`, 14, `want a share`},
		{`share zone=a -1%`, 14, `want a share`},
		{`share zone=a 1.2.3%`, 14, `want a share`},
		{`share zone=a +5%`, 14, `want a share`},
		{`share zone=a %`, 14, `want a share`},
		{`zone`, 5, `the name of the zone is missing`},
		{`zone a`, 7, `a CIDR is missing`},
		{`zone a until=2026-12-01T06:00:00Z`, 8, `a CIDR is missing before`},
		{`zone a=b 192.0.2.0/24`, 6, `has no =`},
		{`zone a 192.0.2.0/24 192.0.2.1`, 21, `not a CIDR`},
		{`zone a 192.0.2.0/24 by=ops 192.0.3.0/24`, 28, `want until=`},
		{`drain * until=2h`, 15, `want a time such as`},
		{`drain * until=2026-12-01`, 15, `want a time such as`},
		{`drain * until=0001-01-01T00:00:00Z`, 15, `want a time such as`},
		{`drain * until=9999-12-31T23:59:59-01:00`, 15, `want a time such as`},
		{`drain * until=0000-01-01T00:00:00+01:00`, 15, `want a time such as`},
		{`drain * until=`, 15, `the value is empty`},
		{`drain * by=ops by=dev`, 16, `by= stands here twice`},
		{`drain * reason=""`, 16, `the value is empty`},
		{`drain * reason="rack 7`, 16, `the quote is not closed`},
		{`drain * reason="rack 7\"`, 16, `the quote is not closed`},
		{`drain * reason="rack"7`, 16, `a blank after it`},
		{`drain * reason="rack\n"`, 16, `"\n" is no printable`},
		{`drain * reason="rack\q"`, 16, `\" is a quote`},
		{`drain * reason="\xff"`, 16, `is no printable`},
		{`drain * reason=rack"7`, 16, `want "TEXT"`},
		{`drain * Until=2026-12-01T06:00:00Z`, 9, `want until=`},
	} {
		d := document(t, "# first", test.text, "drain 192.0.2.9")
		problems := d.Problems(now)
		if len(problems) != 1 {
			t.Errorf("%q: want 1 problem, have %v", test.text, problems)
			continue
		}
		p := problems[0]
		if p.Line != 3 || p.Column != test.column || !strings.Contains(p.Cause, test.words) {
			t.Errorf("%q:\nwant line 3, column %d: …%s…\nhave %v", test.text, test.column,
				test.words, p)
		}
		have := d.Compile(now).Effective(policy.Entry{Instance: "192.0.2.9:1"})
		equal(t, test.text+": the line below it drains", true, have.Drained)
	}
}

// Each line says what the canonical one says.
func TestLine(t *testing.T) {
	for text, canonical := range map[string]string{
		"drain 192.0.2.1:8897":                       "drain 192.0.2.1:8897",
		" \tdrain\t192.0.2.1\t ":                     "drain 192.0.2.1",
		"drain 192.0.2.1/32":                         "drain 192.0.2.1",
		"drain 2001:DB8:0::1":                        "drain 2001:db8::1",
		"drain [2001:DB8::1]:8897":                   "drain [2001:db8::1]:8897",
		"drain 0.0.0.0/0":                            "drain 0.0.0.0/0",
		"withdraw ::/0":                              "withdraw ::/0",
		"withdraw zone=eu/1":                         "withdraw zone=eu/1",
		"withdraw build=abc== ":                      "withdraw build=abc==",
		"weight * 0":                                 "weight * 0",
		"weight * 1000":                              "weight * 1000",
		"share version=2 0%":                         "share version=2 0%",
		"share version=2 100.00%":                    "share version=2 100%",
		"share version=2 33.33%":                     "share version=2 33.33%",
		"share version=2 0.5%":                       "share version=2 0.5%",
		"zone a 192.0.2.0/24  2001:DB8::/32 by=x":    "zone a 192.0.2.0/24 2001:db8::/32 by=x",
		"drain * reason=full by=ops":                 "drain * by=ops reason=full",
		`drain * reason="full"`:                      "drain * reason=full",
		`drain * reason="rack \"7\" \\ é"`:           `drain * reason="rack \"7\" \\ é"`,
		`drain * by=a\b`:                             `drain * by="a\\b"`,
		`drain * by=a=b`:                             `drain * by=a=b`,
		"drain * until=2026-12-01T07:00:00+01:00":    "drain * until=2026-12-01T06:00:00Z",
		"drain * until=2026-12-01T06:00:00.5Z":       "drain * until=2026-12-01T06:00:00.5Z",
		`drain * until="2026-12-01T06:00:00Z" by=me`: "drain * until=2026-12-01T06:00:00Z by=me",
	} {
		have := rule(t, text)
		equal(t, text, canonical, have.String())
		equal(t, text+": canonical form, read again", rule(t, canonical), have)
	}
}

func TestUnreadable(t *testing.T) {
	for _, test := range []struct {
		data         string
		line, column int
		words        string
	}{
		{"\n", 1, 1, `want "#daytime-policy 1"`},
		{" ", 1, 1, `want "#daytime-policy 1"`},
		{"{}", 1, 1, `"{}"`},
		{"drain *\n", 1, 1, `want "#daytime-policy 1"`},
		{"#daytime-policy 2\n", 1, 1, `"#daytime-policy 2"`},
		{"#daytime-policy 10\n", 1, 1, `"#daytime-policy 10"`},
		{"#daytime-policy 1 \n", 1, 1, `"#daytime-policy 1 "`},
		{"\n" + policy.Header, 1, 1, `""`},
		{"\ufeff" + policy.Header + "\n", 1, 1, "byte order mark"},
		{policy.Header + "\n# \u00e9\xe9\n", 2, 4, "byte 0xe9 is no UTF-8"},
		{policy.Header + "\n# \ufffd\xff", 2, 4, "byte 0xff is no UTF-8"},
		{policy.Header + strings.Repeat("\n", policy.MaxSize), 65520, 1, "want at most 65536"},
		{policy.Header + "\n#" + strings.Repeat("x", policy.MaxSize), 2, 65519, "want at most 65536"},
	} {
		_, err := policy.Parse(test.data)
		var p *policy.Problem
		if !errors.Is(err, policy.ErrUnreadable) || !errors.As(err, &p) {
			t.Errorf("%.40q: want an error that matches ErrUnreadable and *Problem, have %v",
				test.data, err)
			continue
		}
		if p.Line != test.line || p.Column != test.column || !strings.Contains(err.Error(),
			test.words) {
			t.Errorf("%.40q: want line %d, column %d: …%s…, have %v", test.data, test.line,
				test.column,
				test.words, err)
		}
	}
	_, err := policy.Parse("{}")
	equal(t, "message", `policy: unreadable: line 1, column 1: "{}"; want "#daytime-policy 1"`,
		err.Error())
}

func TestEmptyIsNoPolicy(t *testing.T) {
	d := parse(t, "")
	equal(t, "empty data is empty", true, d.IsEmpty())
	equal(t, "printed", "", d.String())
	equal(t, "a header alone is empty", false, parse(t, policy.Header).IsEmpty())
	have := d.Compile(now).Effective(policy.Entry{Instance: alice})
	equal(t, "effective", policy.Effective{Weight: policy.DefaultWeight}, have)
	equal(t, "of no policy", have, (*policy.Policy)(nil).Effective(policy.Entry{Instance: alice}))
}

// What is parsed is printed byte for byte.
func TestRoundTrip(t *testing.T) {
	for _, body := range []string{
		"", "\n", "\r\n", "\ndrain *", "\r\ndrain *\r\n# \x1b\tcomment\r\n\r\ndrian\r\n \t\n", "\r",
		"\ndrain * reason=\"a  b\"   by=x\n\n\n", "\ndrain *\r\ndrain *\n\r\r\n",
		strings.Repeat("\n", policy.MaxSize-len(policy.Header)),
		"\n" + strings.Repeat("x", policy.MaxSize-len(policy.Header)-1),
	} {
		data := policy.Header + body
		if have := parse(t, data).String(); have != data {
			t.Errorf("want %.80q\nhave %.80q", data, have)
		}
	}
}

func TestLineEnds(t *testing.T) {
	d := parse(t, policy.Header+"\r\ndrain 192.0.2.1\r\nweight * 5\r\n")
	equal(t, "problems", 0, len(d.Problems(now)))
	equal(t, "effective", policy.Effective{Weight: 5, Drained: true},
		d.Compile(now).Effective(policy.Entry{Instance: alice}))
}

// As many lines as fit, all wrong or all empty, and one line that is as long as can be.
func TestLargeDocuments(t *testing.T) {
	room := policy.MaxSize - len(policy.Header) - 1
	started := time.Now()
	d := document(t, strings.Repeat("x\n", room/2-1))
	equal(t, "problems", room/2-1, len(d.Problems(now)))
	equal(t, "rules", 0, len(document(t, strings.Repeat("\n", room-1)).Rules()))
	prefixes := strings.Repeat(" 10.0.0.0/8", (room-len("zone a\n"))/len(" 10.0.0.0/8"))
	zone := document(t, "zone a"+prefixes)
	equal(t, "zone", "a", zone.Compile(now).Effective(policy.Entry{Instance: "10.1.2.3:4"}).Zone)
	nested := ""
	for bits := range 33 {
		nested += fmt.Sprintf("weight 192.0.2.1/%d %d\n", bits, bits)
	}
	equal(t, "all but /32 have bits beyond it", 32, len(document(t, nested).Problems(now)))
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("want within 5 s, have %v", took)
	}
}

func TestSharesAddUp(t *testing.T) {
	d := document(t,
		"share version=1 60%",
		"share version=2 40.01%",
		"share version=3 40%",
		"share version=1 61%",
		"share version=1 50% until=2026-12-01T07:00:00Z",
		"share version=4 10%",
		"share version=5 0%")
	problems := d.Problems(now)
	equal(t, "problems", 2, len(problems))
	equal(t, "first",
		"policy: line 3, column 17: the shares up to here are 100.01%; want at most 100%",
		problems[0].Error())
	equal(t, "second",
		"policy: line 5, column 17: the shares up to here are 101%; want at most 100%",
		problems[1].Error())
	later := d.Problems(now.Add(time.Hour))
	equal(t, "problems once a share has expired", 3, len(later))
	equal(t, "the one that has no room then", 7, later[2].Line)
}

func TestUntil(t *testing.T) {
	for s, want := range map[string]time.Time{
		"2h":                        now.Add(2 * time.Hour),
		"1h30m":                     now.Add(90 * time.Minute),
		"2026-12-01T09:00:00+02:00": now.Add(time.Hour),
	} {
		have, err := policy.ParseUntil(s, now.Add(time.Millisecond))
		if err != nil || !have.Equal(want) {
			t.Errorf("%s: want %v, have %v, %v", s, want, have, err)
		}
	}
	for s, want := range map[string]string{
		"":                     "want a duration such as 2h or a time such as",
		"2":                    "want a duration such as 2h or a time such as",
		"tomorrow":             "want a duration such as 2h or a time such as",
		"-2h":                  "want a time in the future",
		"-99999999h":           "want a duration such as 2h or a time such as",
		"0s":                   "want a time in the future",
		"2026-12-01T06:00:00Z": "want a time in the future",
		"99999999h":            "too long: want 2562047h at most",
		"99999999h1m.5s":       "too long: want 2562047h at most",
	} {
		if have, err := policy.ParseUntil(s, now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: want %s, have %v, %v", s, want, have, err)
		}
	}
}
