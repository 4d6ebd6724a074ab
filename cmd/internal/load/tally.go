package load

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/daytime/cmd/internal/probe"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd/lb"
)

// maxServers is how many have a line in a summary.
const maxServers = 10

// A Tally is the count of a run. One goroutine uses it.
type Tally struct {
	load      bool // of a load generator
	begin     time.Time
	answered  int
	failed    int
	givenUp   int            // when the run was ended
	byServer  map[string]int // answers
	byKind    map[string]int // failures
	latencies latencies      // of answers, for all attempts together
}

// NewTally returns an empty one, of a load generator or not: the summary of one says more.
func NewTally(load bool) *Tally {
	return &Tally{load: load, begin: time.Now(), byServer: map[string]int{},
		byKind: map[string]int{}}
}

// Add counts a result.
func (t *Tally) Add(r Result) {
	if r.Err != nil {
		t.failed++
		t.byKind[kindOf(r)]++
		return
	}
	t.answered++
	t.byServer[r.Server]++
	t.latencies.add(r.Took)
}

// GiveUp counts a request that was ended because the run was.
func (t *Tally) GiveUp() { t.givenUp++ }

// Answered is how many requests were answered.
func (t *Tally) Answered() int { return t.answered }

// Failed is how many requests failed.
func (t *Tally) Failed() int { return t.failed }

// Err is why a run is no success, in a line for who is told no more.
func (t *Tally) Err() error {
	if t.failed == 0 {
		return errors.New("no request was answered")
	}
	return fmt.Errorf("%d of %s failed: %s", t.failed, shell.Count(t.answered+t.failed, "request"),
		failures(t.byKind))
}

// rate is the number of requests a second so far.
func (t *Tally) rate() float64 {
	return float64(t.answered+t.failed) / time.Since(t.begin).Seconds()
}

// Progress is one line about a run that goes on.
func (t *Tally) Progress() string {
	return fmt.Sprintf("%v: %s, %.0f a second, %d failed", time.Since(t.begin).Round(time.Second),
		shell.Count(t.answered+t.failed, "request"), t.rate(), t.failed)
}

// Summary is a line for the run, and a table of the servers that were asked. Latencies of the run
// are of whole requests, with all that came before the answer. A server's failures are attempts,
// which another server may have made good, or answered first. The table is at most width columns wide; 0 is no limit.
func (t *Tally) Summary(stats []lb.Stat, width int) string {
	var b strings.Builder
	n := t.answered + t.failed + t.givenUp
	elapsed := probe.Round(time.Since(t.begin))
	fmt.Fprintf(&b, "%s in %v: %d answered, %d failed",
		shell.Count(n, "request"), elapsed, t.answered, t.failed)
	if t.givenUp > 0 {
		fmt.Fprintf(&b, ", %d given up", t.givenUp)
	}
	p := func(percent int) time.Duration { return probe.Round(t.latencies.quantile(percent)) }
	switch {
	case t.load:
		fmt.Fprintf(&b, "; %.1f a second", t.rate())
		if t.answered > 0 {
			fmt.Fprintf(&b, "\nlatency p50 %v, p90 %v, p99 %v, max %v\n%s", p(50), p(90), p(99),
				probe.Round(t.latencies.max), strings.TrimSuffix(t.latencies.histogram(width),
					"\n"))
		}
	case t.answered > 0:
		fmt.Fprintf(&b, "; latency p50 %v, p99 %v", p(50), p(99))
	}
	b.WriteString("\n")
	if t.failed > 0 {
		fmt.Fprintf(&b, "failures: %s\n", failures(t.byKind))
	}
	return b.String() + t.table(stats, width)
}

// table has a line for each server, or, where there are many, for those with the most failures,
// then the most answers.
func (t *Tally) table(stats []lb.Stat, width int) string {
	stats = slices.DeleteFunc(slices.Clone(stats), func(s lb.Stat) bool { return s.Requests == 0 })
	if len(stats) == 0 {
		return ""
	}
	if len(stats) > maxServers {
		slices.SortStableFunc(stats, func(a, b lb.Stat) int {
			return cmp.Or(cmp.Compare(failuresOf(b), failuresOf(a)),
				cmp.Compare(t.byServer[b.Instance], t.byServer[a.Instance]))
		})
	}
	shown := stats[:min(len(stats), maxServers)]
	cells := func(cell func(lb.Stat) string) (cells []string) {
		for _, s := range shown {
			cells = append(cells, cell(s))
		}
		return cells
	}
	text := shell.Table([]shell.Column{
		{Head: "server", Cells: cells(func(s lb.Stat) string { return s.Instance })},
		{Head: "answers",
			Cells: cells(func(s lb.Stat) string { return strconv.Itoa(t.byServer[s.Instance]) })},
		{Head: "share", Spare: 2, Cells: cells(t.share)},
		{Head: "failures", Cells: cells(func(s lb.Stat) string { return fmt.Sprint(failuresOf(s)) })},
		{Head: "set aside", Spare: 1,
			Cells: cells(func(s lb.Stat) string { return fmt.Sprint(s.SetAside) })},
		{Head: "attempt mean", Short: "mean", Spare: 3,
			Cells: cells(func(s lb.Stat) string { return Latency(s.Mean) })},
		{Head: "attempt max", Short: "max", Spare: 4,
			Cells: cells(func(s lb.Stat) string { return Latency(s.Max) })},
	}, width)
	if more := stats[len(shown):]; len(more) > 0 {
		text += t.rest(more)
	}
	return text
}

// rest sums up the servers that have no line of their own.
func (t *Tally) rest(stats []lb.Stat) string {
	answers, failures := 0, 0
	for _, s := range stats {
		answers += t.byServer[s.Instance]
		failures += int(failuresOf(s))
	}
	return fmt.Sprintf("%d more: %s, %s\n",
		len(stats), shell.Count(answers, "answer"), shell.Count(failures, "failure"))
}

// failuresOf counts the attempts at a server that came to nothing by its own doing. One that another
// server overtook in time was only cancelled, and is none.
func failuresOf(s lb.Stat) uint64 { return s.Failures + s.Outlived }

func (t *Tally) share(s lb.Stat) string {
	return fmt.Sprintf("%.1f%%", 100*float64(t.byServer[s.Instance])/float64(max(t.answered, 1)))
}

// Latency is d for a person; of nothing there is none.
func Latency(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return probe.Round(d).String()
}
