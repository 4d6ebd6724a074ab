package steer

import (
	"cmp"
	"os"
	"os/user"
	"time"

	"example.com/daytime/sd/policy"
)

// Operator is the name of the user, or nothing if it has none that can stand in a line.
func Operator() string {
	name := os.Getenv("SUDO_USER")
	if u, err := user.Current(); err == nil {
		name = cmp.Or(name, u.Username)
	}
	rule := policy.Rule{Verb: policy.Drain, By: name}
	rule.Selector, _ = policy.ParseSelector("*")
	if _, err := (policy.Document{}).Set(rule, time.Now()); err != nil {
		return ""
	}
	return name
}
