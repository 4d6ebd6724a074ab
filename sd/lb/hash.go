package lb

import (
	"context"
	"math/bits"
	"slices"
)

// Hash sends calls with the same key to the same member.
type Hash struct{}

var _ Picker = Hash{}

// NewHash returns a picker by rendezvous: each member has a score for each key, and the highest wins. When a member joins
// or leaves, only its own keys move, and every process finds the same member without talking to others. It looks at all
// members. Calls without a key are spread at random.
func NewHash() Hash { return Hash{} }

type hashKey struct{}

// WithKey returns a context whose calls go to the member that NewHash finds for key. Other pickers ignore it.
func WithKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, hashKey{}, hashString(key))
}

// Pick implements [Picker]. With tried, it returns the next in the key's order: also the same for everybody.
func (Hash) Pick(ctx context.Context, s *Snapshot, tried []*Member) *Member {
	key, ok := ctx.Value(hashKey{}).(uint64)
	if !ok {
		return draw(s, tried)
	}
	var best *Member
	var high uint64
	for c, n := range s.runs {
		for i, hash := range c.hashes[:n] {
			if this := score(key, hash); this >= high && !slices.Contains(tried, c.members[i]) {
				best, high = c.members[i], this
			}
		}
	}
	return best
}

// hashString is FNV-1a, mixed once more. Its values are the same in every process, unlike hash/maphash's.
func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h, 0x9E3779B97F4A7C15)
}

// score is what a member has for a key. Both are hashes, so one multiplication is enough to have each bit of them count
// in the highest ones, which decide; a Hash pays it for each member.
func score(key, hash uint64) uint64 { return (key ^ hash) * 0xD6E8FEB86659FD93 }

// mix folds the 128-bit product of its arguments' combination.
func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a^b, 0xD6E8FEB86659FD93)
	return high ^ low
}
