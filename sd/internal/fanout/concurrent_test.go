package fanout

import (
	"fmt"
	"sync"
	"testing"
)

// While the first set is indexed another change may come, as from a line of the policy that
// expires. It is not undone.
func TestIndexBesideApply(t *testing.T) {
	var all []string
	for n := range 1000 {
		all = append(all, fmt.Sprintf("%03d", n))
	}
	for range 200 {
		f := New()
		f.Apply(reset(all...), nil)
		var both sync.WaitGroup
		both.Go(f.Index)
		both.Go(func() { f.Apply(Change{Down: all[:1]}, nil) })
		both.Wait()
		if want, have := len(all)-1, f.Size(); want != have {
			t.Fatalf("size: want %d, have %d", want, have)
		}
	}
}
