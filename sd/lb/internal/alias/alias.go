// Package alias draws by weight in two steps, however many there are to draw from.
package alias

import "math/bits"

// A Table is one of the alias method: a draw falls on each column with the same chance, and takes
// its first index below threshold, the second otherwise. (M. D. Vose, A Linear Algorithm for
// Generating Random Numbers with a Given Distribution, 1991.)
type Table []column

type column struct {
	threshold uint32 // of 1<<32
	indices   [2]uint32
}

// New returns a Table of weights, whose sum is above 0 and, times their number, below 1<<64.
func New(weights []uint64) Table {
	n, total := uint64(len(weights)), uint64(0)
	for _, w := range weights {
		total += w
	}
	// The columns have the height total, and the weights, each times their number, fill them: each
	// takes the remainder of one that does not fill it, and the rest from one that does.
	left := make([]uint64, n)
	var small, large []uint32
	for i, w := range weights {
		left[i] = w * n
		if left[i] < total {
			small = append(small, uint32(i))
		} else {
			large = append(large, uint32(i))
		}
	}
	t := make(Table, 0, n)
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		share, _ := bits.Div64(left[s]>>32, left[s]<<32, total)
		t = append(t, column{uint32(share), [2]uint32{s, l}})
		if left[l] -= total - left[s]; left[l] < total {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, i := range append(small, large...) { // exactly full
		t = append(t, column{0, [2]uint32{i, i}})
	}
	return t
}

// Draw returns an index, with a chance in proportion to its weight; r is random.
func (t Table) Draw(r uint32) int {
	x := uint64(r) * uint64(len(t)) // the column above, and the place in it below
	c := &t[x>>32]
	i := 0
	if uint32(x) >= c.threshold { // a coin that no processor predicts: no jump
		i = 1
	}
	return int(c.indices[i])
}
