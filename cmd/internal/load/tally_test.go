package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"go.uber.org/goleak"

	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd/lb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A run ends when its requests have, and is told what became of each.
func ExamplePlan_Run() {
	tally := NewTally(false)
	results := Plan{Count: 3}.Run(context.Background(), func(_ context.Context, seq int) Result {
		if seq == 2 {
			return Result{Err: errors.New("down")}
		}
		return Result{Server: "192.0.2.1:8897", Took: time.Millisecond}
	})
	for result := range results {
		tally.Add(result)
	}
	fmt.Println(tally.Answered(), "answered,", tally.Failed(), "failed")
	// Output: 2 answered, 1 failed
}

// So many requests are under way at a time, and none begins after the end.
func TestRunKeepsItsPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most, begun int
		var mu sync.Mutex
		request := func(ctx context.Context, seq int) Result {
			mu.Lock()
			begun, now = begun+1, now+1
			most = max(most, now)
			mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			mu.Lock()
			now--
			mu.Unlock()
			return Result{Seq: seq}
		}
		begin := time.Now()
		for range (Plan{Duration: 950 * time.Millisecond, AtOnce: 5}).Run(t.Context(), request) {
		}
		if took := time.Since(begin); most != 5 || begun != 50 || took != time.Second {
			t.Errorf("want 50 requests in a second, 5 at a time, have %d, %d, %v", begun, most,
				took)
		}
		begin, begun = time.Now(), 0
		for range (Plan{Count: 4, Interval: time.Second}).Run(t.Context(), request) {
		}
		if took := time.Since(begin); begun != 4 || took != 3100*time.Millisecond {
			t.Errorf("want a request a second, have %d in %v", begun, took)
		}
	})
}

// An object is one line that no terminal acts on and has the reply in it, for every reply.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{"", "a:1: noon", "\x1b[2J", "\u009b2J", "\u202e", "\U000e0001",
		"\xff\n\r", `\u0041"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		line, err := Result{Reply: reply}.JSON()
		if err != nil {
			t.Fatal(err)
		}
		line = strings.TrimSuffix(line, "\n")
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("want printable characters only, have %q", line)
		}
		var have struct{ Reply string }
		if err := json.Unmarshal([]byte(line), &have); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if want := string([]rune(reply)); want != have.Reply { // bytes that are not UTF-8 become U+FFFD
			t.Errorf("want %q, have %q", want, have.Reply)
		}
	})
}

func TestQuantiles(t *testing.T) {
	tally := NewTally(false)
	for ms := range 100 {
		tally.Add(Result{Server: "a", Took: time.Duration(100-ms) * time.Millisecond})
	}
	tally.Add(Result{Err: errors.New("down"), Took: time.Hour})
	first, table, _ := strings.Cut(tally.Summary([]lb.Stat{
		{Instance: "a", Requests: 104, Failures: 3, Outlived: 1, SetAside: 2, Mean: 50 * time.Millisecond,
			Max: 100 * time.Millisecond},
		{Instance: "dead", Requests: 1, Failures: 1},
		{Instance: "idle"},
	}, 0), "\n")
	shelltest.WantText(t, first, "101 requests in ", ": 100 answered, 1 failed; latency p50 50ms, "+
		"p99 99ms")
	want := "server  answers   share  failures  set aside  attempt mean  attempt max\n" +
		"a           100  100.0%         4          2          50ms        100ms\n" +
		"dead          0    0.0%         1          0             -            -\n"
	table, failures := strings.TrimPrefix(table, "failures: 1 other\n"), strings.HasPrefix(table,
		"failures: 1 other\n")
	if !failures {
		t.Errorf("want the failures by kind, have\n%s", table)
	}
	if want != table {
		t.Errorf("want\n%s\nhave\n%s", want, table)
	}
}
