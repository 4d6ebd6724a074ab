// Package latency counts latencies, and knows which are late and what they are on average.
package latency

import (
	"math/bits"
	"sync"
	"time"
)

const (
	MinCount    = 100  // before a quantile means anything
	maxCount    = 2000 // then all counts are halved, and with them the weight of the past
	octaveSteps = 8    // buckets between d and 2d, so that a latency is known to 1/8
)

// A Histogram counts latencies in buckets that grow with the latency. Its zero value is empty. It
// may be used concurrently.
type Histogram struct {
	mu      sync.Mutex
	total   int
	buckets [64 * octaveSteps]int
}

// Add counts a latency.
func (l *Histogram) Add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buckets[bucket(d)]++
	if l.total++; l.total < maxCount {
		return
	}
	l.total = 0
	for i := range l.buckets {
		l.buckets[i] /= 2
		l.total += l.buckets[i]
	}
}

// Late is the latency that 95 of 100 stay below, but no more than longest; and longest while fewer
// than MinCount were counted.
func (l *Histogram) Late(longest time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total < MinCount {
		return longest
	}
	above := l.total / 20
	for i := len(l.buckets) - 1; i >= 0; i-- {
		if above -= l.buckets[i]; above < 0 {
			return min(upperEnd(i), longest)
		}
	}
	return longest
}

// bucket is the octave of d, its power of two, and the step within.
func bucket(d time.Duration) int {
	n := uint64(max(d, octaveSteps))
	octave := bits.Len64(n) - 1
	return octave*octaveSteps + int(n>>(octave-3))%octaveSteps
}

// upperEnd is where bucket i ends.
func upperEnd(i int) time.Duration {
	octave, step := i/octaveSteps, i%octaveSteps
	return time.Duration(octaveSteps+step+1) << (octave - 3)
}
