package lb

import "time"

type poolConfig struct {
	reserve     int64 // nanoseconds, like everything the Pool's clock counts
	slowStart   int64
	minEjection int64
	maxEjection int64
	metrics     Metrics
}

// forever is 146 years, which can be added to a time.
const forever = 1 << 62

// A PoolOption changes how a Pool treats its members.
type PoolOption func(*poolConfig)

// Reserve is how long an instance that was lost from the list is kept: at most d. Give max(40 s,
// 2T) for a registry with session timeout T. The default is 40 s; 0 keeps nothing.
func Reserve(d time.Duration) PoolOption {
	return func(c *poolConfig) { c.reserve = int64(min(max(d, 0), forever)) }
}

// SlowStart is the time in which a new instance comes up to its full part of the calls. It counts
// from when this process first saw the instance, on the monotonic clock; an instance that is listed
// within that time of the first set counts as warm. One that was drained starts again. The default
// is 10 s; 0 gives the full part at once.
func SlowStart(d time.Duration) PoolOption {
	return func(c *poolConfig) { c.slowStart = int64(min(max(d, 0), forever)) }
}

// Ejection is how long an instance that refuses connections, or fails three times in a row, is set
// aside: shortest at first, twice as long each time that the probe which follows fails too, longest
// at most. Shortest is also the time from a single failure to the probe. The default is 1 s to 30
// s.
func Ejection(shortest, longest time.Duration) PoolOption {
	shortest = max(shortest, 0)
	return func(c *poolConfig) {
		c.minEjection, c.maxEjection = int64(shortest), int64(max(shortest, longest))
	}
}
