package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"example.com/daytime/sd/lb"
)

// mostLatencies is how many of the latest latencies the quantiles are taken from, so that a run may last for weeks.
const mostLatencies = 10000

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
	if len(t.latencies) < mostLatencies {
		t.latencies = append(t.latencies, r.took)
	} else {
		t.latencies[t.answered%mostLatencies] = r.took
	}
	t.answered++
	t.byServer[r.server]++
}

// write is the summary: a line for the run, and a line for each server that was asked. Latencies of the run are of whole
// requests, with all that came before the answer. A server's failures are attempts, which another server may have made good.
func (t *tally) write(w io.Writer, stats []lb.Stat) {
	n := t.answered + t.failed + t.givenUp
	fmt.Fprintf(w, "%s in %v: %d answered, %d failed", requests(n), round(time.Since(t.begin)), t.answered, t.failed)
	if t.givenUp > 0 {
		fmt.Fprintf(w, ", %d given up", t.givenUp)
	}
	if t.answered > 0 {
		slices.Sort(t.latencies)
		fmt.Fprintf(w, "; latency p50 %v, p99 %v", round(t.quantile(50)), round(t.quantile(99)))
	}
	fmt.Fprintln(w)
	stats = slices.DeleteFunc(stats, func(s lb.Stat) bool { return s.Requests == 0 })
	if len(stats) == 0 {
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()
	fmt.Fprintln(table, "server\tanswers\tshare\tfailures\tejections\tattempt mean\tattempt max\t")
	for _, s := range stats {
		n := t.byServer[s.Instance]
		share := 100 * float64(n) / float64(max(t.answered, 1))
		fmt.Fprintf(table, "%s\t%d\t%.1f%%\t%d\t%d\t%v\t%v\t\n", s.Instance, n, share, s.Failures, s.Ejections, round(s.Mean), round(s.Max))
	}
}

// requests counts them in words.
func requests(n int) string {
	if n == 1 {
		return "1 request"
	}
	return fmt.Sprintf("%d requests", n)
}

// quantile is the latency that percent of the answers did not exceed. The latencies are sorted.
func (t *tally) quantile(percent int) time.Duration {
	n := len(t.latencies)
	return t.latencies[(n*percent+99)/100-1]
}

// round leaves what a reader compares: three digits or so.
func round(d time.Duration) time.Duration {
	for unit := time.Second; unit > time.Microsecond; unit /= 10 {
		if d >= 100*unit {
			return d.Round(unit)
		}
	}
	return d.Round(time.Microsecond)
}
