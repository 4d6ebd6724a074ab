package alias

import (
	"fmt"
	"math"
	"testing"
)

// All numbers, in even steps, give each index its share, to the steps.
func TestDraw(t *testing.T) {
	const draws = 1 << 16
	for _, weights := range [][]uint64{
		{1}, {7, 7}, {1, 10, 100}, {0, 5}, {1, 1, 1, 1, 1_000_000}, {3, 1, 4, 1, 5, 9, 2, 6, 5},
	} {
		t.Run(fmt.Sprint(weights), func(t *testing.T) {
			table, total := New(weights), uint64(0)
			for _, w := range weights {
				total += w
			}
			have := make([]int, len(weights))
			for n := range uint32(draws) {
				have[table.Draw(n<<16)]++
			}
			for i, w := range weights {
				want := float64(w) / float64(total) * draws
				if math.Abs(float64(have[i])-want) > float64(2*len(weights)) {
					t.Errorf("index %d: want %.1f of %d draws, have %d", i, want, draws, have[i])
				}
			}
		})
	}
}
