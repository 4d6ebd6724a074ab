package doctor_test

import (
	"context"
	"fmt"
	"time"

	"example.com/daytime/cmd/internal/doctor"
	"example.com/daytime/cmd/internal/doctor/report"
	"example.com/daytime/sd"
)

// A registry that is not there is an error, and what depends on it is told as not checked.
func ExampleExamine() {
	target, _ := sd.ParseTarget("zk://127.0.0.1:1/go_servers")
	r := doctor.Examine(context.Background(),
		doctor.Config{Target: target, Timeout: 100 * time.Millisecond})
	for _, f := range r.Findings {
		if f.Severity == report.Error {
			fmt.Printf("%s %s: %s\n-> %s\n", f.Check, f.Subject, f.Problem, f.Advice)
		}
	}
	// Output:
	// member 127.0.0.1:1: connection refused: no ZooKeeper listens there
	// -> start ZooKeeper there, or correct --sd
}
