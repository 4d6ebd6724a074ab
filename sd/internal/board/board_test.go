package board

import "fmt"

func Example() {
	var b Board
	b.Gauge("state").With("phase", "live").Set(1)
	b.Counter("calls").Add(2)
	b.Histogram("seconds").Observe(.5)
	fmt.Println(b.Values())
	// Output: map[calls:2 seconds:1 state{phase=live}:1]
}
