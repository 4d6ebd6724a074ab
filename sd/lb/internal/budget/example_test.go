package budget_test

import (
	"fmt"

	"example.com/daytime/sd/lb/internal/budget"
)

// One further attempt for each two calls, and none saved up.
func Example() {
	b := budget.New(0.5, 0, 0)
	for range 4 {
		b.Deposit()
		fmt.Println(b.Withdraw())
	}
	// Output:
	// false
	// true
	// false
	// true
}
