package load

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

const (
	latencyBits = 8  // of a latency that are kept: it is known to 1 in 256
	maxBar      = 40 // columns of the longest bar of a histogram
)

// A latencies counts latencies in buckets whose width grows with them, so that a run may last for
// weeks. The bucket of n nanoseconds is n itself below 2^9; above that the bits after the first
// nine are dropped, and each power of two has 2^8 buckets.
type latencies struct {
	counts [(64-latencyBits)<<latencyBits + 1<<latencyBits]uint64
	n      uint64
	max    time.Duration
}

func bucketOf(d time.Duration) int {
	ns := uint64(max(d, 0))
	shift := max(bits.Len64(ns)-latencyBits-1, 0)
	return shift<<latencyBits + int(ns>>shift)
}

// middleOf is the latency in the middle of a bucket.
func middleOf(bucket int) time.Duration {
	shift := max(bucket>>latencyBits-1, 0)
	low := uint64(bucket-shift<<latencyBits) << shift
	return time.Duration(low + 1<<shift/2)
}

func (l *latencies) add(d time.Duration) {
	l.counts[bucketOf(d)]++
	l.n++
	l.max = max(l.max, d)
}

// quantile is the latency that percent of all do not exceed.
func (l *latencies) quantile(percent int) time.Duration {
	rank := (l.n*uint64(percent) + 99) / 100
	sum := uint64(0)
	for bucket, n := range l.counts {
		if sum += n; sum >= rank {
			return min(middleOf(bucket), l.max)
		}
	}
	return l.max
}

// A bar is a line of a histogram: how many latencies were not longer, and longer than the bar
// before.
type bar struct {
	limit time.Duration
	n     uint64
}

// bars has limits of 1, 2 and 5 times a power of ten, from the first with a latency to the last.
func (l *latencies) bars() (bars []bar) {
	limit := time.Microsecond
	for bucket, n := range l.counts {
		if n == 0 {
			continue
		}
		for middle := middleOf(bucket); middle > limit; limit = nextLimit(limit) {
			if len(bars) > 0 {
				bars = append(bars, bar{nextLimit(limit), 0})
			}
		}
		if len(bars) == 0 {
			bars = append(bars, bar{limit, 0})
		}
		bars[len(bars)-1].n += n
	}
	return bars
}

// nextLimit continues 1, 2, 5, 10, …
func nextLimit(d time.Duration) time.Duration {
	for unit := time.Microsecond; ; unit *= 10 {
		switch d {
		case unit:
			return 2 * unit
		case 2 * unit:
			return 5 * unit
		case 5 * unit:
			return 10 * unit
		}
	}
}

// histogram is a line of text for each bar, of width columns at most; 0 is no limit.
func (l *latencies) histogram(width int) string {
	bars := l.bars()
	most := uint64(1)
	for _, bar := range bars {
		most = max(most, bar.n)
	}
	var b strings.Builder
	for _, bar := range bars {
		head := fmt.Sprintf("%9s %9d  ", "≤ "+bar.limit.String(), bar.n)
		columns := maxBar
		if width > 0 {
			columns = max(min(maxBar, width-len(head)+len("≤")-1), 0)
		}
		length := (bar.n*uint64(columns) + most - 1) / most
		b.WriteString(strings.TrimRight(head+strings.Repeat("#", int(length)), " ") + "\n")
	}
	return b.String()
}
