package admin

import (
	"fmt"
	"html/template"
	"net/netip"
	"strings"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/transport"
)

// maxText is how many characters of a stranger's text are shown.
const maxText = 200

// A mark is a state in a word, with a sign and a colour of the same meaning: nobody needs to see
// the colour.
type mark struct {
	Tone string // good, busy, warn, bad or idle
	Sign string
	Word string
}

func good(word string) mark { return mark{"good", "●", word} }
func busy(word string) mark { return mark{"busy", "◐", word} }
func warn(word string) mark { return mark{"warn", "▲", word} }
func held(word string) mark { return mark{"warn", "■", word} }
func bad(word string) mark  { return mark{"bad", "✕", word} }
func idle(word string) mark { return mark{"idle", "○", word} }

// phaseMark is the mark of a phase.
func phaseMark(p sd.Phase) mark {
	word := string(p)
	switch p {
	case sd.Registered, sd.Live:
		return good(word)
	case sd.Registering:
		return busy(word)
	case sd.Lost, sd.Stale:
		return warn(word)
	case sd.Conflict:
		return bad(word)
	case sd.Withheld:
		return held(word)
	default:
		return idle(word)
	}
}

// words are the functions of the template.
func words() template.FuncMap {
	return template.FuncMap{
		"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"clock": func(t time.Time) string { return clock(t, time.Now()) },
		"ago":   func(t time.Time) string { return ago(t, time.Now()) },
		"count": count,
		"brief": brief,
	}
}

// clock is a time in UTC, as short as it is plain: without its date if that is today's.
func clock(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	switch {
	case t.YearDay() == now.YearDay() && t.Year() == now.Year():
		return t.Format("15:04:05")
	case t.Year() == now.Year():
		return t.Format("2 Jan 15:04")
	default:
		return t.Format("2 Jan 2006")
	}
}

// ago is how far a time is from now. The script of the page says it in the same words.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	text := span(d.Abs())
	if d < 0 {
		return "in " + text
	}
	return text + " ago"
}

// span is a duration in its greatest unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d d", int(d.Hours()/24))
	}
}

// count is a number with commas between the thousands.
func count(n any) string {
	text := fmt.Sprint(n) // an int or a uint64, not negative
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// plural is a count of things.
func plural(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return count(n) + " " + thing
}

// brief is a latency in three digits.
func brief(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
}

// clip makes a stranger's text fit to be shown: nothing that is not printable, and not too much.
func clip(s string) string {
	if len(s) > 4*maxText { // of UTF-8, which has 4 bytes for a character at most
		s = s[:4*maxText]
	}
	s = transport.Printable(s)
	if r := []rune(s); len(r) > maxText {
		s = string(r[:maxText]) + "…"
	}
	return s
}

// clipError is an error as it is shown; nil is nothing.
func clipError(err error) string {
	if err == nil {
		return ""
	}
	return clip(err.Error())
}

// compareInstances orders by address and port, as numbers.
func compareInstances(a, b string) int {
	x, errX := netip.ParseAddrPort(a)
	y, errY := netip.ParseAddrPort(b)
	if errX != nil || errY != nil {
		return strings.Compare(a, b)
	}
	return x.Compare(y)
}
