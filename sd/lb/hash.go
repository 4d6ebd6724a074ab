package lb

import (
	"context"
	"math"
	"math/bits"
	"slices"
)

// Hash sends calls with the same key to the same member.
type Hash struct{}

var _ Picker = Hash{}

// NewHash returns a picker by rendezvous: each member has a score for each key, and the highest
// wins. When a member joins or leaves, or its weight changes, only its own keys move, and every
// process finds the same member without talking to others. It looks at all members. Calls without a
// key are spread at random.
func NewHash() Hash { return Hash{} }

type hashKey struct{}

// WithKey returns a context whose calls go to the member that NewHash finds for key. Other pickers
// ignore it.
func WithKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, hashKey{}, hashString(key))
}

func (Hash) sticky() bool { return true }

// Pick implements [Picker]. With tried, it returns the next in the key's order: also the same for
// everybody.
func (Hash) Pick(ctx context.Context, s *Snapshot, tried []*Member) *Member {
	key, ok := ctx.Value(hashKey{}).(uint64)
	switch {
	case !ok:
		return s.sample(tried)
	case s.even:
		return highest(key, &s.view, tried)
	default:
		return shortest(key, &s.view, tried)
	}
}

// highest returns the member with the highest score. All weights are equal.
func highest(key uint64, v *view, tried []*Member) (best *Member) {
	var high uint64
	for c, n := range v.runs {
		for i, hash := range c.hashes[:n] {
			if this := score(key, hash); this >= high && !slices.Contains(tried, c.members[i]) {
				best, high = c.members[i], this
			}
		}
	}
	return best
}

// shortest returns the member whose score, as a time of arrival, is the shortest. With u the score
// as a number between 0 and 1, -ln(u)/weight has an exponential distribution whose rate is the
// weight, and the shortest of such times belongs to each member with a chance in proportion to its
// rate. If the weights are equal that is the highest score. (Weighted rendezvous hashing: J. Resch,
// 2015.)
//
// The logarithm is taken for few members only: -ln(u) is never less than 1-u.
func shortest(key uint64, v *view, tried []*Member) (best *Member) {
	shortest := math.Inf(1)
	for c, n := range v.runs {
		for i, hash := range c.hashes[:n] {
			below := float64(^score(key, hash)) / (1 << 64) // 1-u
			weight := float64(c.weights[i])
			if below > shortest*weight || slices.Contains(tried, c.members[i]) {
				continue
			}
			if this := -math.Log1p(-below) / weight; this <= shortest {
				best, shortest = c.members[i], this
			}
		}
	}
	return best
}

// hashString is FNV-1a, mixed once more. Its values are the same in every process, unlike
// hash/maphash's.
func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h, 0x9E3779B97F4A7C15)
}

// score is a member's score for a key. Both are hashes, so one multiplication is enough to have
// each bit of them count in the highest ones, which decide; a Hash pays it for each member.
func score(key, hash uint64) uint64 { return (key ^ hash) * 0xD6E8FEB86659FD93 }

// mix folds the 128-bit product of its arguments' combination.
func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a^b, 0xD6E8FEB86659FD93)
	return high ^ low
}
