package listing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd"
)

// stampLayout is RFC 3339 with milliseconds, of one width.
const stampLayout = "2006-01-02T15:04:05.000Z07:00"

// Changes is a line for each instance that left or joined: text, or an object in JSON. Those that
// left come first: an address that changes hands leaves before it joins.
func Changes(form string, now time.Time, c sd.Change) string {
	var b strings.Builder
	stamp := now.UTC().Format(stampLayout)
	for _, instance := range slices.Sorted(slices.Values(c.Down)) {
		withdrew := slices.Contains(c.Withdrew, instance)
		b.WriteString(changeLine(form, stamp, "leave", instance, withdrew))
	}
	for _, instance := range slices.Sorted(slices.Values(c.Up)) {
		b.WriteString(changeLine(form, stamp, "join", instance, false))
	}
	return b.String()
}

func changeLine(form, stamp, event, instance string, withdrew bool) string {
	if form != "json" {
		return fmt.Sprintf("%s %s %s\n", stamp, event, instance)
	}
	line, _ := shell.JSONLine(struct { // which can always be encoded
		Time     string `json:"time"`
		Event    string `json:"event"`
		Instance string `json:"instance"`
		Withdrew bool   `json:"withdrew"` // left on purpose, as far as is known
	}{stamp, event, instance, withdrew})
	return line
}
