package policy_test

import (
	"fmt"
	"time"

	"example.com/daytime/sd/policy"
)

// A reader asks what an instance is worth.
func Example() {
	document, err := policy.Parse(`#daytime-policy 1
drain    192.0.2.10:8897  until=2026-12-01T06:00:00Z by=ops reason="rack 7"
zone     eu-1a  192.0.2.0/25
weight   zone=eu-1a 50
weight   192.0.2.1/25 70
`)
	if err != nil {
		fmt.Println(err) // the last good one stays
		return
	}
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	p := document.Compile(now)
	for _, problem := range document.Problems(now) {
		fmt.Println(problem)
	}
	fmt.Printf("%+v\n", p.Effective(policy.Entry{Instance: "192.0.2.10:8897"}))
	expiry, _ := p.NextExpiry()
	fmt.Printf("%+v\n",
		document.Compile(expiry).Effective(policy.Entry{Instance: "192.0.2.10:8897"}))
	// Output:
	// policy: line 5, column 10: selector "192.0.2.1/25": bits are set beyond the length; want 192.0.2.0/25, or the address alone
	// {Weight:50 Zone:eu-1a Drained:true Withdrawn:false Side:0}
	// {Weight:50 Zone:eu-1a Drained:false Withdrawn:false Side:0}
}

// A writer drains a server.
func ExampleDocument_Set() {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	before, _ := policy.Parse("#daytime-policy 1\n# first of all\ndrain 192.0.2.9\n")
	selector, _ := policy.ParseSelector("192.0.2.2:8897")
	until, _ := policy.ParseUntil("2h", now)
	after, err := before.Set(policy.Rule{
		Verb: policy.Drain, Selector: selector, Until: until, By: "ops", Reason: "rack 7",
	}, now)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(policy.Diff(before, after))
	// Output:
	// + drain 192.0.2.2:8897 until=2026-11-30T14:00:00Z by=ops reason="rack 7"
}

func ExampleDocument_Explain() {
	document, _ := policy.Parse("#daytime-policy 1\n" +
		"weight * 50\nweight version=2.1 10\nshare version=2.1 5%\n")
	fmt.Print(document.Explain(policy.Entry{
		Instance:   "192.0.2.10:8897",
		Attributes: policy.Attributes{Zone: "eu-1a", Tags: map[string]string{"version": "2.1"}},
	}, time.Now()))
	// Output:
	// instance   192.0.2.10:8897
	// own        weight 100, zone eu-1a, version=2.1
	// zone       eu-1a
	// drained    no
	// withdrawn  no
	// share      5% for version=2.1
	//            line 4 decides: share version=2.1 5%
	// weight     10
	//            line 2 overridden: weight * 50
	//            line 3 decides: weight version=2.1 10
}
