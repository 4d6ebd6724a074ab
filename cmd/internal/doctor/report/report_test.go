package report

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func Example() {
	r := Report{Registry: "zk://192.0.2.1/go_servers", Servers: 2, Took: 40 * time.Millisecond}
	r.Fine("member", "192.0.2.1:2181", "ZooKeeper 3.8.0, leader")
	r.Error("clock", "192.0.2.10:8897", "set the time there (NTP)", "its clock is %v behind",
		90*time.Second)
	r.Unchecked("owner", "dump is not answered")
	r.Sort()
	fmt.Print(r.Text(80, false))
	fmt.Println("failed:", r.Failed())
	// Output:
	// zk://192.0.2.1/go_servers
	//
	// registry
	//   ok        member     192.0.2.1:2181: ZooKeeper 3.8.0, leader
	//
	// servers
	//   error     clock      192.0.2.10:8897: its clock is 1m30s behind
	//                        -> set the time there (NTP)
	//   unchecked owner      dump is not answered
	//
	// not healthy: 1 error, 0 warnings; 2 servers, in 40ms
	// failed: true
}

// Of many alike some are shown, those with one problem in one line, and all if that is asked for.
func TestManyAlike(t *testing.T) {
	var r Report
	for i := range 12 {
		r.Error("answer", fmt.Sprintf("192.0.2.%d:8897", i), "start it", "connection refused")
		r.Warn("form", fmt.Sprintf("192.0.2.%d:8897", i), "mend it", "data %d", i)
	}
	flat := func(all bool) string { return strings.Join(strings.Fields(r.Text(80, all)), " ") }
	text := flat(false)
	for _, want := range []string{"192.0.2.4:8897: connection refused", "and 7 more (-v shows all)",
		"data 4"} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "192.0.2.5:") || strings.Count(text, "connection refused") != 1 ||
		strings.Count(text, "-> mend it") != 1 {
		t.Errorf("want each thing once, and no more than five, have\n%s", text)
	}
	if all := flat(true); !strings.Contains(all, "192.0.2.11:8897: connection refused") ||
		!strings.Contains(all, "data 11") {
		t.Errorf("want all, have\n%s", all)
	}
}

func TestFailed(t *testing.T) {
	strict := Report{Strict: true}
	if strict.Failed() {
		t.Error("want nothing wrong where nothing was found")
	}
	var r Report
	r.Warn("tls", "zk://h", "use it", "no TLS")
	strict.Findings = r.Findings
	if r.Failed() || !strict.Failed() || !r.Has("tls") || r.Has("acl") {
		t.Error("want a warning to count only if one is strict")
	}
	for want, r := range map[string]Report{"\nhealthy: ": r, "\nnot healthy: ": strict} {
		if text := r.Text(80, false); !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
}

// Whatever stands in a finding, the text keeps to its width and to what a terminal may be shown.
func FuzzText(f *testing.F) {
	f.Add("192.0.2.1:8897", "refused", 80)
	for width := 1; width < 30; width++ {
		f.Add("[2001:db8::1]:8897", "connection refused", width)
	}
	f.Add("\x1b[2J\u202e\n", strings.Repeat("x", 300), 40)
	f.Add("192.0.2.1:8897", "refused", -1)
	f.Fuzz(func(t *testing.T, subject, problem string, width int) {
		r := Report{Registry: "zk://h"}
		r.Error("clock", subject, problem, "%s", problem)
		r.Error("clock", subject, problem, "%s", subject)
		if width <= 0 {
			width = 80
		}
		text := r.Text(width, false)
		width = min(max(width, minWidth), maxWidth)
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			if n := utf8.RuneCountInString(line); n > width {
				t.Errorf("want %d columns at most, have %d: %q", width, n, line)
			}
			if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("want printable characters, have %q", line)
			}
		}
	})
}
