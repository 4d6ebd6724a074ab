package gate_test

import (
	"fmt"
	"time"

	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/policy/gate"
)

// A registrar asks before it registers an entry, and when a line expires.
func Example() {
	var g gate.Gate
	if err := g.SetPolicy(policy.Header + "\nwithdraw 192.0.2.1 until=2026-12-01T06:00:00Z\n"); err != nil {
		fmt.Println(err)
		return
	}
	entry := policy.Entry{Instance: "192.0.2.1:8897"}
	again, why := g.Withheld(entry, time.Date(2026, 12, 1, 5, 0, 0, 0, time.UTC))
	fmt.Println(why)
	_, why = g.Withheld(entry, again)
	fmt.Println(why)
	// Output:
	// withheld by line 2 of the policy: withdraw 192.0.2.1 until=2026-12-01T06:00:00Z
	// <nil>
}
