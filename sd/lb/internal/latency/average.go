package latency

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// halving is the time in which an average loses half its weight, in nanoseconds: 10 s of
	// e-folding.
	halving = float64(10*time.Second) * math.Ln2
	// minFailedLatency is the least that a failed call counts as: an instance that fails at once is
	// not a fast one.
	minFailedLatency = float64(time.Second)
)

// An Average of latencies, in nanoseconds, loses half its weight each halving: at time t that of an
// observation x made at time t0 is x * 2^-((t-t0)/halving). Its zero value has none. It may be used
// concurrently.
//
// The stored value is the logarithm of that, without its dependence on t: log2(x) + t0/halving. The
// average at t is 2^(stored - t/halving). So the stored value does not change while nothing is
// observed, and of two members the one with the lower stored value has the lower average at any t:
// picks compare these, without a clock and without an exponential.
type Average struct {
	// bits are those of the float64, complemented, so that 0, the initial value, which no
	// observation has, stands for none.
	bits atomic.Uint64

	mu sync.Mutex // serializes observations, and guards at
	at int64      // of the latest observation
}

// Stored is the stored value, if something was observed.
func (a *Average) Stored() (value float64, ok bool) {
	bits := a.bits.Load()
	return math.Float64frombits(^bits), bits != 0
}

// Value is the average as it has decayed by now.
func (a *Average) Value(now int64) float64 {
	stored, ok := a.Stored()
	if !ok {
		return 0
	}
	return math.Exp2(stored - float64(now)/halving)
}

// Observe takes a latency in: a peak at once, anything lower gradually.
func (a *Average) Observe(now int64, latency float64) { a.weigh(now, latency, latency) }

// Fail takes in a call that failed after latency, gradually as minFailedLatency: a few failures
// among many calls leave a member about as it was.
func (a *Average) Fail(now int64, latency float64) {
	a.weigh(now, latency, max(latency, minFailedLatency))
}

// weigh makes the average peak at least, and takes sample in with the weight of the time since the
// last one: that which the old average has lost meanwhile.
func (a *Average) weigh(now int64, peak, sample float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fresh := 1 - math.Exp2(-float64(max(now-a.at, 0))/halving)
	average := max(peak, a.Value(now)+sample*fresh, 1)
	a.bits.Store(^math.Float64bits(math.Log2(average) + float64(now)/halving))
	a.at = now
}

// Forget makes it as if nothing had been observed.
func (a *Average) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bits.Store(0)
	a.at = 0
}

// Copy takes over the observations of another average.
func (a *Average) Copy(from *Average) {
	from.mu.Lock()
	defer from.mu.Unlock()
	a.bits.Store(from.bits.Load())
	a.at = from.at
}
