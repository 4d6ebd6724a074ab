package impact_test

import (
	"fmt"
	"time"

	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/policy/impact"
)

// Who drains a server sees first what that does.
func Example() {
	fleet := []policy.Entry{{Instance: "192.0.2.1:8897"}, {Instance: "192.0.2.2:8897"},
		{Instance: "192.0.2.3:8897"}}
	document, err := policy.Parse("#daytime-policy 1\ndrain 192.0.2.2\n")
	if err != nil {
		fmt.Println(err)
		return
	}
	report := impact.Compare(nil, document.Compile(time.Now()), fleet)
	fmt.Print(report)
	fmt.Println("refused:", report.Refused)
	// Output:
	// affects 1 of 3 instances, which get 33.3% of the calls, and 0.0% after
	//   192.0.2.2:8897: undrained -> drained
	// leaves 66.7% of the weight
	// refused: false
}
