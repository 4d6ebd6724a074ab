package listing

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A list can be told in several forms.
func ExampleText() {
	document, _ := policy.Parse("#daytime-policy 1\ndrain 192.0.2.1:8897\n")
	rows := Rows(document, []policy.Entry{{Instance: "192.0.2.1:8897"}}, time.Now())
	text, _ := Text(rows, "table", 80)
	fmt.Print(text)
	// Output:
	// server          weight  zone  drained
	// 192.0.2.1:8897  100     -     drain
}

// steered are servers with attributes, of which a policy drains one.
func steered(t *testing.T) []Row {
	t.Helper()
	document, err := policy.Parse("#daytime-policy 1\n" +
		"drain 192.0.2.1:1 until=2126-12-01T06:00:00Z by=ops reason=\"rack 7\"\n" +
		"weight zone=eu-1 50\nwithdraw 192.0.2.3:3 by=me\n")
	if err != nil {
		t.Fatal(err)
	}
	weight := 7
	since := time.Date(2026, 2, 22, 12, 0, 0, 0, time.UTC)
	return Rows(document, []policy.Entry{
		{Instance: "192.0.2.1:1", Attributes: policy.Attributes{Weight: &weight, Zone: "eu-1",
			Tags: map[string]string{"version": "2.1", "a": "b"}, Since: since}},
		{Instance: "192.0.2.2:2"},
		{Instance: "192.0.2.3:3"},
	}, since)
}

func TestWideList(t *testing.T) {
	want := "server       weight  zone  drained   until                 by   reason  tags             " +
		"since\n" +
		"192.0.2.1:1  50      eu-1  drain     2126-12-01T06:00:00Z  ops  rack 7  a=b,version=2.1  " +
		"2026-02-22T12:00:00Z\n" +
		"192.0.2.2:2  100     -     -         -                     -    -       -                " +
		"-\n" +
		"192.0.2.3:3  100     -     withdraw  -                     me   -       -                " +
		"-\n"
	if have := shell.Table(tableOf(steered(t), true), 0); want != have {
		t.Errorf("want\n%s\nhave\n%s", want, have)
	}
	for width := 30; width < 100; width += 5 {
		shelltest.WantWidth(t, shell.Table(tableOf(steered(t), true), width), width)
	}
}

// How calls are split is told where they are.
func TestShares(t *testing.T) {
	document, err := policy.Parse("#daytime-policy 1\nshare 192.0.2.1 0%\nshare 192.0.2.2 2.5%\n")
	if err != nil {
		t.Fatal(err)
	}
	rows := Rows(document, []policy.Entry{{Instance: "192.0.2.1:1"}, {Instance: "192.0.2.2:2"},
		{Instance: "192.0.2.3:3"}}, time.Now())
	want := "server       weight  zone  drained  share\n" +
		"192.0.2.1:1  100     -     -        0% of 192.0.2.1\n" +
		"192.0.2.2:2  100     -     -        2.5% of 192.0.2.2\n" +
		"192.0.2.3:3  100     -     -        97.5% of the rest\n"
	if have, err := Text(rows, "table", 0); want != have || err != nil {
		t.Errorf("want\n%s\nhave\n%s, %v", want, have, err)
	}
}

// Of several registries the calls are split by the first that splits them, as sd.Join has it; whom that
// one does not have is of the rest.
func TestSharesOfSeveral(t *testing.T) {
	parse := func(lines string) policy.Document {
		d, err := policy.Parse("#daytime-policy 1\n" + lines)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	one, two, three := policy.Entry{Instance: "192.0.2.1:1"}, policy.Entry{Instance: "192.0.2.2:2"},
		policy.Entry{Instance: "192.0.2.3:3"}
	rows := Merged([]Source{
		{"plain", policy.Document{}, []policy.Entry{one}},
		{"first", parse("share 192.0.2.1 0%\n"), []policy.Entry{one, two}},
		{"second", parse("share 192.0.2.2 5%\nshare 192.0.2.3 0%\n"), []policy.Entry{two, three}},
	}, time.Now())
	have := ""
	for _, r := range rows {
		have += fmt.Sprintln(r.Instance, r.Share, r.Spared)
	}
	want := "192.0.2.1:1 0% of 192.0.2.1 true\n192.0.2.2:2 100% of the rest false\n" +
		"192.0.2.3:3 100% of the rest false\n"
	if want != have {
		t.Errorf("want\n%s\nhave\n%s", want, have)
	}
}

// A long tag of one server does not pad the lines of all; a program is told the whole.
func TestLongTag(t *testing.T) {
	long := strings.Repeat("x", 60_000)
	rows := steered(t)
	rows[1].Attributes.Tags = map[string]string{"a": long}
	wide, err := Text(rows, "wide", 0)
	if err != nil || len(wide) > 4*400 || !strings.Contains(wide, "a="+long[:198]+"…") {
		t.Errorf("want the tag cut, have %d bytes, %v", len(wide), err)
	}
	if object, err := Text(rows, "json", 0); err != nil || !strings.Contains(object, long) {
		t.Errorf("want all of the tag, have %d bytes, %v", len(object), err)
	}
}

func TestListObjects(t *testing.T) {
	want := []string{
		`{"instance":"192.0.2.1:1","weight":7,"effective_weight":50,"zone":"eu-1","tags":{"a":"b","version":"2.1"},` +
			`"since":"2026-02-22T12:00:00Z","drained":true,"by":"ops","reason":"rack 7","until":"2126-12-01T06:00:00Z"}` + "\n",
		`{"instance":"192.0.2.2:2","weight":100,"effective_weight":100,"zone":"","tags":{},` +
			`"since":"","drained":false,"by":"","reason":"","until":""}` + "\n",
	}
	rows := steered(t)
	for i, want := range want {
		if have, err := rows[i].json(); want != have || err != nil {
			t.Errorf("want %s, have %s, %v", want, have, err)
		}
	}
}

// Of several registries each server is listed once, as a client of all sees it.
func TestMerged(t *testing.T) {
	now := time.Now()
	parse := func(lines string) policy.Document {
		d, err := policy.Parse("#daytime-policy 1\n" + lines)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	rows := Merged([]Source{
		{"one", parse("weight * 7\n"), []policy.Entry{{Instance: "192.0.2.2:2"},
			{Instance: "192.0.2.3:3"}}},
		{"two", parse("drain 192.0.2.2 by=ops\n"), []policy.Entry{{Instance: "192.0.2.1:1"},
			{Instance: "192.0.2.2:2", Attributes: policy.Attributes{Zone: "b"}}}},
	}, now)
	have := ""
	for _, r := range rows {
		have += fmt.Sprintln(r.Instance, r.Effective.Weight, r.Effective.Zone, r.drained(),
			r.Drain.By, r.Registries)
	}
	want := "192.0.2.1:1 100    [two]\n192.0.2.2:2 7  drain ops [one two]\n192.0.2.3:3 7    [one]\n"
	if want != have {
		t.Errorf("want\n%s\nhave\n%s", want, have)
	}
}
