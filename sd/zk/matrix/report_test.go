package matrix

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// A line is one row of the table.
type line struct {
	id, fault        string
	failed, requests int
	failedAttempts   int
	p50, p99         time.Duration
	slowest          time.Duration
	converged        time.Duration
	expired          int
	dials            int // the most of any session
	lists            int64
	late             time.Duration
	notes            []string
}

// A report collects lines from tests that run side by side.
type report struct {
	mu    sync.Mutex
	lines []line
}

func (r *report) add(l line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, l)
}

// table is the report as text, in the order of the rows' numbers.
func (r *report) table() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.SortStableFunc(r.lines, func(a, b line) int {
		return cmp.Compare(number(a.id), number(b.id))
	})
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "row\tfault\tfailed/requests\tfailed attempts\tp50\tp99\tmax\t"+
		"converged\texpired\tdials\tlists\tlate\tnotes")
	for _, l := range r.lines {
		fmt.Fprintf(w, "%s\t%s\t%d/%d\t%d\t%v\t%v\t%v\t%v\t%d\t%d\t%d\t%v\t%s\n",
			l.id, l.fault, l.failed, l.requests, l.failedAttempts,
			short(l.p50), short(l.p99), short(l.slowest), short(l.converged),
			l.expired, l.dials, l.lists, short(l.late), strings.Join(l.notes, ", "))
	}
	w.Flush()
	return trimRight(text.String())
}

// number makes F2 come before F10.
func number(id string) string {
	digits := strings.Trim(id, "FDabc ")
	return fmt.Sprintf("%.1s%3s%s", id, digits, id)
}

// short drops what nobody reads.
func short(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

// trimRight takes the spaces off the ends of lines.
func trimRight(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// loadAverage is the machine's, where it tells.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}
