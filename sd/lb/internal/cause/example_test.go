package cause_test

import (
	"errors"
	"fmt"
	"syscall"

	"example.com/daytime/sd/lb/internal/cause"
)

// An endpoint that has tried two servers.
func Example() {
	refused := errors.Join(syscall.ECONNREFUSED, syscall.ECONNREFUSED)
	reset := errors.Join(syscall.ECONNREFUSED, syscall.ECONNRESET)
	fmt.Println(cause.Unsent(refused), cause.Unsent(reset), cause.IsIllness(reset))
	// Output: true false true
}
