package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"

	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd/lb"
)

// An object is one line that no terminal acts on and has the reply in it, for every reply.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{"", "a:1: noon", "\x1b[2J", "\u009b2J", "\u202e", "\U000e0001", "\xff\n\r", `\u0041"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		line, err := result{reply: reply}.json()
		if err != nil {
			t.Fatal(err)
		}
		line = strings.TrimSuffix(line, "\n")
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("want printable characters only, have %q", line)
		}
		var have object
		if err := json.Unmarshal([]byte(line), &have); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if want := string([]rune(reply)); want != have.Reply { // bytes that are not UTF-8 become U+FFFD
			t.Errorf("want %q, have %q", want, have.Reply)
		}
	})
}

func TestQuantiles(t *testing.T) {
	tally := newTally(false)
	for ms := range 100 {
		tally.add(result{server: "a", took: time.Duration(100-ms) * time.Millisecond})
	}
	tally.add(result{err: errors.New("down"), took: time.Hour})
	first, table, _ := strings.Cut(tally.summary([]lb.Stat{
		{Instance: "a", Requests: 104, Failures: 4, Ejections: 2, Mean: 50 * time.Millisecond, Max: 100 * time.Millisecond},
		{Instance: "dead", Requests: 1, Failures: 1},
		{Instance: "idle"},
	}, 0), "\n")
	shelltest.WantText(t, first, "101 requests in ", ": 100 answered, 1 failed; latency p50 50ms, p99 99ms")
	want := "server  answers   share  failures  ejections  attempt mean  attempt max\n" +
		"a           100  100.0%         4          2          50ms        100ms\n" +
		"dead          0    0.0%         1          0             -            -\n"
	table, failures := strings.TrimPrefix(table, "failures: 1 other\n"), strings.HasPrefix(table, "failures: 1 other\n")
	if !failures {
		t.Errorf("want the failures by kind, have\n%s", table)
	}
	if want != table {
		t.Errorf("want\n%s\nhave\n%s", want, table)
	}
}
