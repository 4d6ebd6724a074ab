package latency_test

import (
	"fmt"
	"time"

	"example.com/daytime/sd/lb/internal/latency"
)

// Of ten calls one takes a second, and so that is late.
func Example() {
	var h latency.Histogram
	fmt.Println(h.Late(time.Minute)) // not yet known
	for i := range latency.MinCount {
		if i%10 == 0 {
			h.Add(time.Second)
		} else {
			h.Add(10 * time.Millisecond)
		}
	}
	fmt.Println(h.Late(time.Minute).Round(time.Second))
	// Output:
	// 1m0s
	// 1s
}
