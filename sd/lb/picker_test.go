package lb

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/daytime/sd/internal/wait"
	kitendpoint "github.com/go-kit/kit/endpoint"
	kitsd "github.com/go-kit/kit/sd"
	kitlb "github.com/go-kit/kit/sd/lb"
)

// keyed gives each call its request for a key.
func keyed(next kitendpoint.Endpoint) kitendpoint.Endpoint {
	return func(ctx context.Context, request any) (any, error) {
		return next(WithKey(ctx, fmt.Sprint(request)), request)
	}
}

// chiSquare is the sum of squared deviations from an even spread over n members, in units of what
// is expected.
func chiSquare(counts map[string]int, n, total int) float64 {
	expected := float64(total) / float64(n)
	sum := expected * float64(n-len(counts)) // those that got nothing
	for _, count := range counts {
		sum += math.Pow(float64(count)-expected, 2) / expected
	}
	return sum
}

// chiLimit is what chiSquare stays below but once in 10,000 runs (Wilson and Hilferty's
// approximation).
func chiLimit(n int) float64 {
	k := float64(n - 1)
	return k * math.Pow(1-2/(9*k)+3.719*math.Sqrt(2/(9*k)), 3)
}

func TestParsePicker(t *testing.T) {
	for _, name := range PickerNames() {
		if p, err := ParsePicker(name); p == nil || err != nil {
			t.Errorf("%s: want a picker, have %v, %v", name, p, err)
		}
	}
	_, err := ParsePicker("fastest")
	for _, want := range append(PickerNames(), `"fastest"`) {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("want %s in the error, have: %v", want, err)
		}
	}
}

// wantSpread wants so many picks to be even over n members. Uneven by chance they are once in 10,000
// runs: those are made again, and count if they are uneven again.
func wantSpread(t *testing.T, what string, n, picks int, pick func(i int) *Member) {
	t.Helper()
	var uneven float64
	for range 2 {
		counts := make(map[string]int)
		for i := range picks {
			counts[pick(i).Instance()]++
		}
		if uneven = chiSquare(counts, n, picks); uneven <= chiLimit(n) {
			return
		}
	}
	t.Errorf("%s, n=%d: want χ² below %.1f, have %.1f twice", what, n, chiLimit(n), uneven)
}

// TestSpread: random passes a χ² test, and so do the others when nothing speaks for one
// or another.
func TestSpread(t *testing.T) {
	for _, name := range PickerNames() {
		for _, n := range []int{3, 10, 1000} {
			p, _ := newTestPool(t, n)
			picker, _ := ParsePicker(name)
			wantSpread(t, name, n, 200*n, func(i int) *Member {
				ctx := WithKey(t.Context(), fmt.Sprintf("key %d", i))
				return picker.Pick(ctx, p.snapshot.Load(), nil)
			})
		}
	}
}

// The second choice must be even too: it takes the load of a member that has failed.
func TestSpreadOfTheSecondChoice(t *testing.T) {
	const n, total = 5, 20000
	for _, name := range []string{"random", "leastloaded", "ewma", "hash"} {
		p, _ := newTestPool(t, n)
		picker, _ := ParsePicker(name)
		s := p.snapshot.Load()
		tried := []*Member{s.At(2)}
		wantSpread(t, name, n-1, total, func(i int) *Member {
			m := picker.Pick(WithKey(t.Context(), fmt.Sprint(i)), s, tried)
			if m == tried[0] {
				t.Fatalf("%s: picked the one that was tried", name)
			}
			return m
		})
	}
}

// A picker goes through all members, each once, before it finds none.
func TestPickersExhaustTheMembers(t *testing.T) {
	for _, name := range PickerNames() {
		for _, n := range []int{0, 1, 2, 3, 50} {
			p, _ := newTestPool(t, n)
			picker, _ := ParsePicker(name)
			s := p.snapshot.Load()
			ctx := WithKey(t.Context(), "k")
			var tried []*Member
			for range n {
				m := picker.Pick(ctx, s, tried)
				if m == nil || slices.Contains(tried, m) {
					t.Fatalf("%s, n=%d: want a new member after %d, have %v", name, n, len(tried), m)
				}
				tried = append(tried, m)
			}
			if m := picker.Pick(ctx, s, tried); m != nil {
				t.Errorf("%s, n=%d: want nil when all were tried, have %s", name, n, m.Instance())
			}
		}
	}
}

func TestRoundRobinIsExact(t *testing.T) {
	const n, rounds, workers = 7, 100, 8
	p, _ := newTestPool(t, n)
	picker := NewRoundRobin()
	counts := make([]map[string]int, workers)
	var working sync.WaitGroup
	for w := range workers {
		working.Go(func() {
			counts[w] = make(map[string]int)
			for range n * rounds {
				counts[w][picker.Pick(t.Context(), p.snapshot.Load(), nil).Instance()]++
			}
		})
	}
	working.Wait()
	for _, name := range names(n) {
		have := 0
		for _, c := range counts {
			have += c[name]
		}
		if want := rounds * workers; want != have {
			t.Errorf("%s: want %d, have %d", name, want, have)
		}
	}
}

// A thousand clients with one call each spread over four servers; go-kit's round robin sends all to
// the first.
func TestOneShotClients(t *testing.T) {
	const n, clients = 4, 1000
	p, _ := newTestPool(t, n)
	for _, name := range []string{"random", "roundrobin", "leastloaded", "ewma"} {
		wantSpread(t, name, n, clients, func(int) *Member {
			picker, _ := ParsePicker(name)
			return picker.Pick(t.Context(), p.snapshot.Load(), nil)
		})
	}
	first := make(map[string]int)
	for range clients {
		serve, _ := kitlb.NewRoundRobin(naming(p)).Endpoint()
		name, _ := serve(t.Context(), nil)
		first[name.(string)]++
	}
	if len(first) != 1 {
		t.Errorf("go-kit, for comparison: want one server for all, have %v", first)
	}
}

// naming is an Endpointer whose endpoints answer with the names of p's members.
func naming(p *Pool) kitsd.Endpointer {
	var endpoints kitsd.FixedEndpointer
	for i := range p.snapshot.Load().Len() {
		name := p.snapshot.Load().At(i).Instance()
		endpoints = append(endpoints, func(context.Context, any) (any, error) { return name, nil })
	}
	return endpoints
}

// When a member joins or leaves, its own keys move and no others: 1/N of them, give or take a
// fifth.
func TestHashMovement(t *testing.T) {
	const keys = 50_000
	for _, n := range []int{5, 20, 100} {
		p, r := newTestPool(t, n)
		place := func() []string {
			places := make([]string, keys)
			for i := range places {
				ctx := WithKey(t.Context(), fmt.Sprintf("user-%d", i))
				places[i] = NewHash().Pick(ctx, p.snapshot.Load(), nil).Instance()
			}
			return places
		}
		before := place()
		victim := names(n)[n/2]
		r.down(victim)
		wait.True(t, "the members wanted", func() bool { return p.snapshot.Load().Len() == n-1 })
		without := place()
		r.up(victim)
		wait.True(t, "the members wanted", func() bool { return p.snapshot.Load().Len() == n })
		moved := 0
		for i := range before {
			if before[i] == without[i] {
				continue
			}
			moved++
			if before[i] != victim {
				t.Fatalf("n=%d: key %d moved from %s, which had not left", n, i, before[i])
			}
		}
		share := float64(moved) / keys * float64(n)
		t.Logf("n=%d: %d of %d keys moved, %.3f/N", n, moved, keys, share)
		if share > 1.2 {
			t.Errorf("n=%d: want at most 1.2/N moved, have %.3f/N", n, share)
		}
		if !slices.Equal(before, place()) {
			t.Errorf("n=%d: want every key back at its place when the member is back", n)
		}
	}
}

func TestHashWithoutAKeyIsRandom(t *testing.T) {
	p, _ := newTestPool(t, 4)
	wantSpread(t, "hash without a key", 4, 4000, func(int) *Member {
		return NewHash().Pick(t.Context(), p.snapshot.Load(), nil)
	})
}

// The place of a key is part of what clients agree on: it must not depend on process or version.
func TestHashIsStable(t *testing.T) {
	if want, have := uint64(0x598b6ca0670d5ab2), hashString("user-7"); want != have {
		t.Errorf("want %x, have %x", want, have)
	}
}

func TestLeastLoadedPrefersTheIdle(t *testing.T) {
	p, _ := newTestPool(t, 2)
	s := p.snapshot.Load()
	busy, idle := s.At(0), s.At(1)
	busy.begin()
	defer busy.end()
	for range 100 {
		if have := NewLeastLoaded().Pick(t.Context(), s, nil); have != idle {
			t.Fatalf("want %s, have %s", idle.Instance(), have.Instance())
		}
	}
}

func TestPicksDoNotAllocate(t *testing.T) {
	p, _ := newTestPool(t, 300)
	ctx := WithKey(t.Context(), "k")
	for _, name := range PickerNames() {
		picker, _ := ParsePicker(name)
		if have := testing.AllocsPerRun(1000, func() { p.pick(ctx, picker, nil, nil).end() }); have != 0 {
			t.Errorf("%s: want no allocation, have %v", name, have)
		}
	}
}

// Others take turns at the same time, and the one that is left is found all the same.
func TestRoundRobinFindsTheLastOneBesideOthers(t *testing.T) {
	p, _ := newTestPool(t, 2)
	s := p.snapshot.Load()
	picker, tried := NewRoundRobin(), []*Member{s.At(0)}
	var missed atomic.Int64
	var pickers sync.WaitGroup
	for range 4 {
		pickers.Go(func() {
			for range 50_000 {
				if picker.Pick(t.Context(), s, tried) == nil {
					missed.Add(1)
				}
			}
		})
	}
	pickers.Wait()
	if have := missed.Load(); have > 0 {
		t.Errorf("want it found each time, have it missed %d times", have)
	}
}
