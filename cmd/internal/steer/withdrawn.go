package steer

import (
	"fmt"
	"strings"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// Withdrawals are the lines of a document that withdraw at now. Servers that obey them are not
// registered, so that it is not known which there are.
func Withdrawals(d policy.Document, now time.Time) []policy.Rule {
	var rules []policy.Rule
	for _, r := range d.Rules() {
		if r.Verb == policy.Withdraw && !r.Expired(now) {
			rules = append(rules, r)
		}
	}
	return rules
}

// uncounted are those of them whose servers are in no count: an ip:port is known by its name.
func uncounted(d policy.Document, now time.Time) []policy.Rule {
	var rules []policy.Rule
	for _, r := range Withdrawals(d, now) {
		if sd.CheckInstance(r.Selector.String()) != nil {
			rules = append(rules, r)
		}
	}
	return rules
}

// maxListed is how many lines Lines names.
const maxListed = 3

// Lines names lines of a policy, of which it tells the first three.
func Lines(rules []policy.Rule) string {
	var names []string
	for i, r := range rules {
		if i == maxListed {
			names = append(names, "and "+shell.Count(len(rules)-i, "more line"))
			break
		}
		names = append(names, fmt.Sprintf("line %d %v %v", r.Line, r.Verb, r.Selector))
	}
	return strings.Join(names, ", ")
}

// Uncounted says which lines may keep servers out of a count of who is registered, or nothing.
func Uncounted(rules []policy.Rule) string {
	if len(rules) == 0 {
		return ""
	}
	return "withdrawn servers are not registered, and not counted: " + Lines(rules)
}

// Hint ends a message about a selector that matches nobody who is registered: with the lines that
// may have withdrawn them, or with nothing.
func Hint(rules []policy.Rule) string {
	if len(rules) == 0 {
		return ""
	}
	return "; withdrawn servers are not registered: " + Lines(rules)
}
