package shell

import "fmt"

// Count is n with its noun, which has no plural but that with s.
func Count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
