package shell

import "fmt"

// Pair refuses one of two flags without the other. It is about those that only work together, such
// as a certificate and its key.
func Pair(flag, value, other, otherValue string) error {
	switch {
	case value != "" && otherValue == "":
		return UsageError(flag, fmt.Errorf("%.64q: want --%s, too", value, other))
	case value == "" && otherValue != "":
		return UsageError(other, fmt.Errorf("%.64q: want --%s, too", otherValue, flag))
	}
	return nil
}
