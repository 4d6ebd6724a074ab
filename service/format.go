package service

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// defaultLayout has microseconds: enough to tell two replies apart.
const defaultLayout = "2006-01-02 15:04:05.999999 -0700 MST"

// formats is a function and not a variable: the package has no state.
func formats() []struct{ name, layout string } {
	return []struct{ name, layout string }{
		{"default", defaultLayout},
		{"rfc867", "Monday, January 2, 2006 15:04:05-MST"}, // the first example of RFC 867
		{"unix", time.UnixDate},                            // the form of date(1) in the C locale
		{"rfc3339", time.RFC3339},
	}
}

// FormatNames lists the names that ParseFormat accepts, the default first.
func FormatNames() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

// ParseFormat returns the layout of a named format: default, rfc867, unix or rfc3339.
// Names are exact; a layout itself is not a name.
func ParseFormat(name string) (layout string, err error) {
	known := formats()
	i := slices.IndexFunc(known, func(f struct{ name, layout string }) bool { return f.name == name })
	if i < 0 {
		names := strings.Join(FormatNames(), ", ")
		return "", fmt.Errorf("service: unknown format %q, want one of %s", name, names)
	}
	return known[i].layout, nil
}
