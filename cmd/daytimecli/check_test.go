package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/service"
	"example.com/daytime/transport/transporttest"
)

// Each server is asked: whether it answers, how fast, and how wrong its clock is.
func TestListCheck(t *testing.T) {
	good, dead := shelltest.Serve(t), transporttest.FreeAddress(t)
	late := transporttest.Serve(t, transporttest.Reply(time.Now().Add(-90*time.Second).UTC().Format(time.RFC3339)+"\r\n"))
	plain := transporttest.Serve(t, transporttest.Reply("noon\r\n"))
	url := "fixed://" + strings.Join([]string{good, dead, late, plain}, ",")

	stdout, stderr := try(t, shell.ExitFailure, "list", "--check", "--sd", url)
	shelltest.WantText(t, stderr, "no answer from 1 of 4 servers")
	for _, want := range []string{
		`^server +weight +zone +drained +answers +latency +clock\n`,
		`\n` + good + ` +100 +- +- +yes +\S+s +[+-]\S+s ±\S+s\n`,
		`\n` + dead + ` +100 +- +- +connection refused +- +-\n`,
		`\n` + late + ` +100 +- +- +yes +\S+s +-1m(29|30)\S* ±50\dms\n`,
		`\n` + plain + ` +100 +- +- +yes +\S+s +-\n`,
	} {
		if !regexp.MustCompile(want).MatchString(stdout) {
			t.Errorf("want %s, have\n%s", want, stdout)
		}
	}

	stdout, _ = try(t, shell.ExitFailure, "list", "--check", "--sd", url, "-o", "json")
	for line := range strings.Lines(stdout) {
		var have struct {
			Instance string
			Check    struct {
				Reachable bool
				Error     string
				MS        float64
				Offset    *float64 `json:"offset_ms"`
				Bound     *float64 `json:"offset_bound_ms"`
			}
		}
		if err := json.Unmarshal([]byte(line), &have); err != nil {
			t.Fatal(err)
		}
		k := have.Check
		known := have.Instance == good || have.Instance == late
		if k.Reachable != (have.Instance != dead) || k.Reachable != (k.Error == "") || known != (k.Offset != nil) {
			t.Errorf("have %s", line)
		}
		if have.Instance == good && (*k.Offset < -*k.Bound || *k.Offset > *k.Bound) {
			t.Errorf("want our own clock within its bound, have %s", line)
		}
	}
}

// A time is read in every format of ours, and only where its zone has one meaning.
func TestParseTime(t *testing.T) {
	now := time.Now().UTC()
	for _, name := range service.FormatNames() {
		layout, err := service.ParseFormat(name)
		if err != nil {
			t.Fatal(err)
		}
		read, unit, ok := parseTime(now.Format(layout))
		if diff := now.Sub(read); !ok || diff < 0 || diff >= unit {
			t.Errorf("%s: want %v cut off to %v, have %v, %v", name, now, unit, read, ok)
		}
		elsewhere := now.In(time.FixedZone("EST", -5*3600)).Format(layout)
		if read, unit, ok := parseTime(elsewhere); ok && now.Sub(read) >= unit {
			t.Errorf("%s: want %q right or not understood, have %v", name, elsewhere, read)
		}
	}
	if _, _, ok := parseTime("noon"); ok {
		t.Error("want noon not understood")
	}
}

// The offset that is told is never further from the truth than its bound.
func TestOffsetIsWithinItsBound(t *testing.T) {
	begin := time.Date(2026, 2, 22, 12, 0, 0, 123456789, time.UTC)
	for _, wrong := range []time.Duration{0, time.Hour, -300 * time.Millisecond} {
		for _, at := range []time.Duration{0, 5 * time.Millisecond, 10 * time.Millisecond} { // of 10 ms
			for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05.999999 -0700 MST"} {
				reply := "192.0.2.1:1: " + begin.Add(at+wrong).Format(layout)
				offset, bound, ok := offsetOf(reply, "192.0.2.1:1", begin, 10*time.Millisecond)
				if diff := (offset - wrong).Abs(); !ok || diff > bound {
					t.Errorf("%q: want %v within %v, have %v", reply, wrong, bound, offset)
				}
			}
		}
	}
}
