package sd

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"example.com/daytime/sd/policy"
	kitlog "github.com/go-kit/log"
)

// idle is a Backend whose Watch never answers: the benchmark applies changes in place of the loop.
type idle struct{ Backend }

func (idle) Watch(ctx context.Context, _ Want, _ func(Change)) error {
	<-ctx.Done()
	return ctx.Err()
}

// address returns the n-th of many instances.
func address(n int) string { return fmt.Sprintf("10.%d.%d.%d:8897", n>>16&255, n>>8&255, n&255) }

// filled returns an Instancer of n instances.
func filled(b *testing.B, n int, options ...InstancerOption) *Instancer {
	i := NewInstancer(idle{}, kitlog.NewNopLogger(), options...)
	b.Cleanup(i.Stop)
	names := make([]string, n)
	for k := range names {
		names[k] = address(k)
	}
	i.emitted(Change{Reset: true, Up: names})
	return i
}

// sizes runs f for small, large and very large sets.
func sizes(b *testing.B, f func(b *testing.B, n int)) {
	for _, n := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			f(b, n)
		})
	}
}

// flip makes the first instance leave and come back, in turns.
func flip(i *Instancer, round int) {
	first := []string{address(0)}
	if round%2 == 0 {
		i.emitted(Change{Down: first})
	} else {
		i.emitted(Change{Up: first})
	}
}

// What one change costs with a go-kit subscriber, who gets the whole set.
func BenchmarkChangeListed(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		i := filled(b, n)
		i.Instances()
		for round := 0; b.Loop(); round++ {
			flip(i, round)
			if have := len(i.Instances()); have < n-1 {
				b.Fatalf("list: want about %d instances, have %d", n, have)
			}
		}
	})
}

// What instruments cost a change with a follower, beside none.
func BenchmarkChangeMeasured(b *testing.B) {
	for _, measured := range []bool{false, true} {
		b.Run(fmt.Sprintf("instruments=%v", measured), func(b *testing.B) {
			b.ReportAllocs()
			var options []InstancerOption
			if measured {
				options = append(options, InstancerInstruments(InstancerMetrics{}))
			}
			i := filled(b, 10_000, options...)
			i.Follow(func(Change) {})
			for round := 0; b.Loop(); round++ {
				flip(i, round)
			}
		})
	}
}

// What one change costs with a policy of 2,000 lines: that of the instance.
func BenchmarkChangeSteered(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		i := steered(b, n)
		for round := 0; b.Loop(); round++ {
			flip(i, round)
		}
	})
}

// What another policy of 2,000 lines costs, from the text to the effective values of all.
func BenchmarkPolicyChange(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		i := steered(b, n)
		documents := []string{lines(2000, 0), lines(2000, 1)}
		for round := 0; b.Loop(); round++ {
			i.emitted(Change{Policy: &PolicyText{Document: documents[round%2],
				Version: int64(round)}})
		}
	})
}

// steered returns an Instancer of n instances, with a follower and a policy.
func steered(b *testing.B, n int) *Instancer {
	i := NewInstancer(idle{}, kitlog.NewNopLogger(), FollowPolicy())
	b.Cleanup(i.Stop)
	i.Follow(func(Change) {})
	names := make([]string, n)
	for k := range names {
		names[k] = address(k)
	}
	i.emitted(Change{Reset: true, Up: names, Policy: &PolicyText{Document: lines(2000, 0)}})
	return i
}

// lines returns a policy of n lines, half of which drain.
func lines(n, round int) string {
	var text strings.Builder
	fmt.Fprintln(&text, policy.Header)
	for k := range n / 2 {
		fmt.Fprintf(&text, "drain %s\nweight %s %d\n", address(7*k), address(11*k), (k+round)%1000)
	}
	return text.String()
}

// What every further go-kit subscriber costs.
func BenchmarkListAgain(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		i := filled(b, n)
		for b.Loop() {
			i.Instances()
		}
	})
}

// What a Watch that was called again costs when nothing has changed.
func BenchmarkResetRepeated(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		i := filled(b, n)
		all := i.Instances()
		for b.Loop() {
			i.emitted(Change{Reset: true, Up: all})
		}
	})
}
