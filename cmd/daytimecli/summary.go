package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd/lb"
)

const (
	// maxLatencies is how many of the latest latencies the quantiles are taken from, so that a run
	// may last for weeks.
	maxLatencies = 10000

	maxServers = 10 // in the table of a summary
)

// A tally is the count of a run. One goroutine uses it.
type tally struct {
	begin     time.Time
	answered  int
	failed    int
	givenUp   int             // when the run was ended
	byServer  map[string]int  // answers
	latencies []time.Duration // of answers, for all attempts together; a ring
}

func newTally() *tally { return &tally{begin: time.Now(), byServer: map[string]int{}} }

func (t *tally) add(r result) {
	if r.err != nil {
		t.failed++
		return
	}
	if len(t.latencies) < maxLatencies {
		t.latencies = append(t.latencies, r.took)
	} else {
		t.latencies[t.answered%maxLatencies] = r.took
	}
	t.answered++
	t.byServer[r.server]++
}

// summary is a line for the run, and a table of the servers that were asked. Latencies of the run
// are of whole requests, with all that came before the answer. A server's failures are attempts,
// which another server may have made good. The table is at most width columns wide; 0 is no limit.
func (t *tally) summary(stats []lb.Stat, width int) string {
	var b strings.Builder
	n := t.answered + t.failed + t.givenUp
	elapsed := round(time.Since(t.begin))
	fmt.Fprintf(&b, "%s in %v: %d answered, %d failed",
		count(n, "request"), elapsed, t.answered, t.failed)
	if t.givenUp > 0 {
		fmt.Fprintf(&b, ", %d given up", t.givenUp)
	}
	if t.answered > 0 {
		sorted := slices.Sorted(slices.Values(t.latencies))
		fmt.Fprintf(&b, "; latency p50 %v, p99 %v",
			round(quantile(sorted, 50)), round(quantile(sorted, 99)))
	}
	b.WriteString("\n")
	b.WriteString(t.table(stats, width))
	return b.String()
}

// table has a line for each server, or, where there are many, for those with the most failures,
// then the most answers.
func (t *tally) table(stats []lb.Stat, width int) string {
	stats = slices.DeleteFunc(slices.Clone(stats), func(s lb.Stat) bool { return s.Requests == 0 })
	if len(stats) == 0 {
		return ""
	}
	if len(stats) > maxServers {
		slices.SortStableFunc(stats, func(a, b lb.Stat) int {
			return cmp.Or(cmp.Compare(b.Failures, a.Failures),
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
		{Head: "answers", Cells: cells(func(s lb.Stat) string { return strconv.Itoa(t.byServer[s.Instance]) })},
		{Head: "share", Spare: 2, Cells: cells(t.share)},
		{Head: "failures", Cells: cells(func(s lb.Stat) string { return fmt.Sprint(s.Failures) })},
		{Head: "ejections", Spare: 1, Cells: cells(func(s lb.Stat) string { return fmt.Sprint(s.Ejections) })},
		{Head: "attempt mean", Short: "mean", Spare: 3,
			Cells: cells(func(s lb.Stat) string { return latency(s.Mean) })},
		{Head: "attempt max", Short: "max", Spare: 4,
			Cells: cells(func(s lb.Stat) string { return latency(s.Max) })},
	}, width)
	if more := stats[len(shown):]; len(more) > 0 {
		text += t.rest(more)
	}
	return text
}

// rest sums up the servers that have no line of their own.
func (t *tally) rest(stats []lb.Stat) string {
	answers, failures := 0, 0
	for _, s := range stats {
		answers += t.byServer[s.Instance]
		failures += int(s.Failures)
	}
	return fmt.Sprintf("%d more: %s, %s\n", len(stats), count(answers, "answer"), count(failures, "failure"))
}

func (t *tally) share(s lb.Stat) string {
	return fmt.Sprintf("%.1f%%", 100*float64(t.byServer[s.Instance])/float64(max(t.answered, 1)))
}

// latency is d for a person; of nothing there is none.
func latency(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return round(d).String()
}

// count is n with its noun.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// quantile is the latency that percent of the sorted ones do not exceed.
func quantile(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)*percent+99)/100-1]
}

// round leaves three digits or so, enough to compare.
func round(d time.Duration) time.Duration {
	for unit := time.Second; unit > time.Microsecond; unit /= 10 {
		if d >= 100*unit {
			return d.Round(unit)
		}
	}
	return d.Round(time.Microsecond)
}
