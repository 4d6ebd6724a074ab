package fanout

// hashMask keeps the 52 bits of a hash, which a float64 holds exactly.
const hashMask = 1<<52 - 1

// A setHash is a hash of a set that needs no order, as sd.InstancerMetrics defines it. The zero
// value is that of the empty set. A change costs the change.
type setHash uint64

func (h *setHash) add(name string)    { *h = (*h + setHash(hashName(name))) & hashMask }
func (h *setHash) remove(name string) { *h = (*h - setHash(hashName(name))) & hashMask }

// hashName is the part of one name: FNV-1a in 64 bits, mixed as the output of splitmix64 is
// (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014), 52 bits of it.
// Without the mixing the last characters would only be added up, and the sets {x1, y2} and {x2, y1}
// be the same. It is never 0, so that one name more or less is another set.
func hashName(name string) uint64 {
	x := uint64(14695981039346656037)
	for i := range len(name) {
		x = (x ^ uint64(name[i])) * 1099511628211
	}
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return max((x^x>>31)&hashMask, 1)
}

// KeepHash has the hash of the set kept. By default it is not. It is called before any Apply.
func (f *Fanout) KeepHash() { f.set.hashed = true }

// Summary returns how many instances there are, and the hash of their set if it is kept: that of an
// empty set before Index.
func (f *Fanout) Summary() (size int, hash uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.set.size(), uint64(f.set.hash)
}
