package probe

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"example.com/daytime/service"
)

// A Clock is that of a server, compared with this host's.
type Clock struct {
	Known  bool          // the reply has a time that is understood
	Offset time.Duration // to this host's clock
	Bound  time.Duration // of the error of Offset, on either side
}

// String is the offset with its bound, for a person.
func (c Clock) String() string {
	if !c.Known {
		return "-"
	}
	sign := "+"
	if c.Offset < 0 {
		sign = "-"
	}
	return fmt.Sprintf("%s%v ±%v", sign, Round(c.Offset.Abs()), Round(c.Bound))
}

// Round leaves three digits or so, enough to compare.
func Round(d time.Duration) time.Duration {
	for unit := time.Second; unit > time.Microsecond; unit /= 10 {
		if d >= 100*unit {
			return d.Round(unit)
		}
	}
	return d.Round(time.Microsecond)
}

// Name is the registered address that a reply of ours begins with, or nothing.
func Name(reply string) string {
	name, _, found := strings.Cut(reply, ": ")
	if ap, err := netip.ParseAddrPort(name); !found || err != nil || ap.String() != name {
		return ""
	}
	return name
}

// clockOf compares the time in a reply with ours. The server read its clock at some moment of the
// request, so that half of its length is unsure; a time that is cut off to its unit is half of that
// unit late on average, and as much unsure.
func clockOf(reply string, begin time.Time, took time.Duration) (c Clock) {
	text := reply
	if name := Name(reply); name != "" {
		text = strings.TrimPrefix(reply, name+": ")
	}
	read, unit, ok := parseTime(text)
	if !ok {
		return c
	}
	middle := begin.Add(took / 2)
	return Clock{true, read.Add(unit / 2).Sub(middle), (took + unit) / 2}
}

// parseTime reads a time in one of the formats that our servers have, and tells its unit. A zone
// that is a name alone is understood if it is UTC's or ours: others have no one meaning.
func parseTime(text string) (t time.Time, unit time.Duration, ok bool) {
	for _, name := range service.FormatNames() {
		layout, err := service.ParseFormat(name)
		if err != nil {
			continue
		}
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		zone, seconds := t.Zone()
		if !strings.Contains(layout, "07") && seconds == 0 && zone != "UTC" && zone != "GMT" {
			return t, 0, false
		}
		if strings.Contains(layout, ".999999") {
			return t, time.Microsecond, true
		}
		return t, time.Second, true
	}
	return t, 0, false
}
