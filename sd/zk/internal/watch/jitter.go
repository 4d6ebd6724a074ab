package watch

import (
	"math/rand/v2"
	"time"
)

const (
	largeFleet = 1000                   // names; what many do at once is spread out from there on
	jitterEach = 100 * time.Microsecond // for each name
	maxJitter  = 5 * time.Second
)

// Jitter returns how long one of a fleet of n waits when all of them have the same reason to ask
// ZooKeeper for something costly: nothing in a small fleet, and up to 5 s at random in one of
// 50,000.
func Jitter(n int) time.Duration {
	if n <= largeFleet {
		return 0
	}
	return rand.N(min(time.Duration(n)*jitterEach, maxJitter))
}
