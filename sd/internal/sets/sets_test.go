package sets_test

import (
	"fmt"
	"slices"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/sets"
)

func Example() {
	var set sets.Set
	emit := func(c sd.Change) {
		slices.Sort(c.Up)
		fmt.Println("reset", c.Reset, "up", c.Up, "down", c.Down)
	}
	fmt.Println(set.Known())
	set.Becomes(nil, emit)
	set.Becomes([]string{"192.0.2.1:80", "192.0.2.2:80", "192.0.2.1:80"}, emit)
	set.Becomes([]string{"192.0.2.2:80", "192.0.2.1:80"}, emit) // nothing new
	set.Becomes([]string{"192.0.2.1:80"}, emit)
	// Output:
	// false
	// reset true up [] down []
	// reset false up [192.0.2.1:80 192.0.2.2:80] down []
	// reset false up [] down [192.0.2.2:80]
}
