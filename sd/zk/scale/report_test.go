package scale

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A tally holds what was measured, by contender and kind.
type tally map[string]map[string][]float64

func (t tally) add(contender, kind string, value float64) {
	if t[contender] == nil {
		t[contender] = map[string][]float64{}
	}
	t[contender][kind] = append(t[contender][kind], value)
}

func (t tally) median(contender, kind string) float64 { return median(t[contender][kind]) }

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// report gives the medians of each contender as metrics and as a table.
func (t tally) report(b *testing.B, kinds ...string) {
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-10s", "median")
	for _, kind := range kinds {
		fmt.Fprintf(&table, "%18s", kind)
	}
	for _, c := range contenders() {
		if t[c.name] == nil {
			continue
		}
		fmt.Fprintf(&table, "\n%-10s", c.name)
		for _, kind := range kinds {
			m := t.median(c.name, kind)
			fmt.Fprintf(&table, "%18.4g", m)
			b.ReportMetric(m, c.name+"-"+kind)
		}
		fmt.Fprintf(&table, "   of %d", len(t[c.name][kinds[0]]))
	}
	b.Log(table.String())
	b.ReportMetric(0, "ns/op")
}

// ratio reports how many times a is b in kind: the median of each round's ratio, so that a machine
// which is slower for a while changes nothing, or the ratio of the medians where one of the two has
// sat out rounds.
func (t tally) ratio(bench *testing.B, a, b, kind string) {
	over, under := t[a][kind], t[b][kind]
	if len(over) == 0 || len(under) == 0 || slices.Min(under) <= 0 {
		return // what is counted from the ack may be nothing, or less
	}
	ratio := median(over) / median(under)
	if len(over) == len(under) {
		var rounds []float64
		for i := range over {
			rounds = append(rounds, over[i]/under[i])
		}
		ratio = median(rounds)
	}
	bench.ReportMetric(ratio, fmt.Sprintf("%s/%s-%s-ratio", a, b, kind))
}

// micros is d in the unit of the tables.
func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// processorTime is what this process has used, all contenders together, but not ZooKeeper.
func processorTime(tb testing.TB) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
