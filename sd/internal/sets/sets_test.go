package sets_test

import (
	"fmt"
	"slices"
	"testing"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/sets"
	"example.com/daytime/sd/policy"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func print(c sd.Change) {
	slices.Sort(c.Up)
	fmt.Println("reset", c.Reset, "up", c.Up, "down", c.Down)
	for name, a := range c.Attributes {
		fmt.Println(" ", name, "zone", a.Zone)
	}
	if len(c.Unread) > 0 {
		fmt.Println("  unread", c.Unread)
	}
}

func Example() {
	a, b := policy.Entry{Instance: "192.0.2.1:80"}, policy.Entry{Instance: "192.0.2.2:80"}
	set := sets.Set{Want: sd.Want{Attributes: true}}
	fmt.Println(set.Known())
	set.Becomes(nil, nil, print)
	set.Becomes([]policy.Entry{a, b, a}, nil, print)
	set.Becomes([]policy.Entry{b, a}, nil, print) // nothing new
	a.Attributes.Zone = "eu-1a"
	set.Becomes([]policy.Entry{b, a}, []string{b.Instance}, print)
	set.Becomes([]policy.Entry{a}, nil, print)
	// Output:
	// false
	// reset true up [] down []
	// reset false up [192.0.2.1:80 192.0.2.2:80] down []
	// reset false up [] down []
	//   192.0.2.1:80 zone eu-1a
	//   unread [192.0.2.2:80]
	// reset false up [] down [192.0.2.2:80]
}

// An attribute that is wrong stays told while another one changes.
func ExampleSet_Becomes_unread() {
	set := sets.Set{Want: sd.Want{Attributes: true}}
	a := policy.Entry{Instance: "192.0.2.1:80"}
	for _, zone := range []string{"a", "b", "b"} {
		a.Attributes.Zone = zone
		set.Becomes([]policy.Entry{a}, []string{a.Instance}, print)
	}
	set.Becomes([]policy.Entry{a}, nil, print)
	// Output:
	// reset true up [192.0.2.1:80] down []
	//   192.0.2.1:80 zone a
	//   unread [192.0.2.1:80]
	// reset false up [] down []
	//   192.0.2.1:80 zone b
	//   unread [192.0.2.1:80]
	// reset false up [] down []
	//   192.0.2.1:80 zone b
}

// Who did not ask for attributes is not told of them.
func ExampleSet_Becomes() {
	var set sets.Set
	set.Becomes([]policy.Entry{{Instance: "192.0.2.1:80"}}, nil, print)
	set.Becomes([]policy.Entry{{Instance: "192.0.2.1:80", Attributes: policy.Attributes{Zone: "a"}}}, nil, print)
	// Output:
	// reset true up [192.0.2.1:80] down []
}
