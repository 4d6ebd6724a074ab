package fanout

import (
	"fmt"
	"slices"
	"testing"
)

// hashOf is the hash of names, summed up in their order.
func hashOf(names ...string) uint64 {
	var h setHash
	for _, name := range names {
		h.add(name)
	}
	return uint64(h)
}

func up(names ...string) Change { return Change{Up: names} }

// hashed returns a Fanout that keeps the hash, after these changes.
func hashed(changes ...Change) *Fanout {
	f := New()
	f.KeepHash()
	for _, c := range changes {
		f.Apply(c, nil)
		f.Index()
	}
	return f
}

// The values are those of the definition, computed by another program: they must never change,
// because clients of different versions are compared.
func TestHashIsAsDefined(t *testing.T) {
	for want, names := range map[uint64][]string{
		0:                {},
		2041769522216074: {"192.0.2.1:8897"},
		1774203599693137: {"192.0.2.1:8897", "192.0.2.2:8897"},
		1376863800912282: {"[2001:db8::1]:13", "192.0.2.1:8897"},
	} {
		if have := hashOf(names...); want != have {
			t.Errorf("%q: want %d, have %d", names, want, have)
		}
	}
}

// One set has one hash, by whatever changes it came about.
func TestHashIsOfTheSet(t *testing.T) {
	want := hashOf("a", "b", "c")
	for how, f := range map[string]*Fanout{
		"at once":         hashed(reset("a", "b", "c")),
		"another order":   hashed(reset("c", "a", "b")),
		"one by one":      hashed(reset(), up("b"), up("a", "c")),
		"another before":  hashed(reset("x", "y"), reset("c", "b", "a")),
		"one left":        hashed(reset("a", "b", "c", "d"), Change{Down: []string{"d"}}),
		"one came twice":  hashed(reset("a", "b"), up("c", "a"), up("c")),
		"one named twice": hashed(reset("a", "b", "b", "c")),
		"one never there": hashed(reset("a", "b", "c"), Change{Down: []string{"d"}}),
		"the same again":  hashed(reset("a", "b", "c"), reset("b", "c", "a")),
		"gone and back":   hashed(reset("a", "b", "c"), reset(), reset("a", "b", "c")),
	} {
		if _, have := f.Summary(); want != have {
			t.Errorf("%s: want %d, have %d", how, want, have)
		}
	}
	f := New()
	f.Apply(reset("a"), nil)
	f.Index()
	if _, have := f.Summary(); have != 0 {
		t.Errorf("not asked for: want 0, have %d", have)
	}
}

// Sets that resemble each other have other hashes: one name more, less or another, and the same
// addresses and ports put together otherwise.
func TestHashesDiffer(t *testing.T) {
	seen := map[uint64][]string{}
	add := func(names ...string) {
		t.Helper()
		slices.Sort(names)
		h := hashOf(names...)
		if other, ok := seen[h]; ok && !slices.Equal(other, names) {
			t.Fatalf("want other hashes for %q and %q, have %d", names, other, h)
		}
		seen[h] = names
	}
	name := func(host, port int) string { return fmt.Sprintf("192.0.2.%d:%d", host, port) }
	all := []string{}
	add()
	for host := range 100 {
		for port := range 4 {
			add(name(host, port))
			add(name(host, port), name(host+1, port+1))
			add(name(host, port+1), name(host+1, port))
			all = append(all, name(host, port))
			add(slices.Clone(all)...)
		}
	}
	for n := range all {
		add(slices.Delete(slices.Clone(all), n, n+1)...)
	}
	for h := range seen {
		if h > hashMask || uint64(float64(h)) != h {
			t.Fatalf("want 52 bits, which a float64 holds, have %d", h)
		}
	}
}

// The same with the hash: a change costs the change.
func BenchmarkChangeHashed(b *testing.B) {
	for _, kept := range []bool{false, true} {
		b.Run(fmt.Sprintf("hash=%v", kept), func(b *testing.B) {
			b.ReportAllocs()
			f := filled(10_000)
			f.set.hashed = kept
			first := []string{address(0)}
			for round := 0; b.Loop(); round++ {
				if round%2 == 0 {
					f.Apply(Change{Down: first}, nil)
				} else {
					f.Apply(Change{Up: first}, nil)
				}
			}
		})
	}
}
