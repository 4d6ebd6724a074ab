package shell

import "errors"

// Pair refuses one of two flags without the other. It is about those that only work together, such
// as a certificate and its key.
func Pair(flag, value, other, otherValue string) error {
	switch {
	case value != "" && otherValue == "":
		return UsageError(flag, errors.New("want --"+other+", too"))
	case value == "" && otherValue != "":
		return UsageError(other, errors.New("want --"+flag+", too"))
	}
	return nil
}
