package load

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/daytime/cmd/internal/probe"
)

// kindOf names the reason why a request failed, for a count of failures. The last attempt that
// ended by itself tells more than the end of the request.
func kindOf(r Result) string {
	err := r.Err
	for _, t := range r.Tries {
		if t.Err != nil && probe.Kind(t.Err) != "" {
			err = t.Err
		}
	}
	return cmp.Or(probe.Kind(err), "other")
}

// failures is the count of failures by kind, the most frequent first.
func failures(kinds map[string]int) string {
	names := slices.SortedFunc(maps.Keys(kinds), func(a, b string) int {
		return cmp.Or(cmp.Compare(kinds[b], kinds[a]), strings.Compare(a, b))
	})
	var parts []string
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%d %s", kinds[name], name))
	}
	return strings.Join(parts, ", ")
}
