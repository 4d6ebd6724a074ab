package watch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	gozk "github.com/go-zookeeper/zk"
)

// Events are applied to a set that holds alice. Each step is an event of alice, by its first
// letter, and how long after the list it came, or something else: s the process had been stopped
// until then, l a list, r the round trip after which nothing more of a takeover comes.
func TestChanges(t *testing.T) {
	for steps, want := range map[string]string{
		// what a graceful end looks like
		"C2s X2.1s r2.2s":       "withdrew",
		"C2s X2.999s r3s":       "withdrew",
		"C2s C2.5s X3.2s r3.3s": "withdrew", // claimed again, as after a lost reply
		// an expiry
		"X2s":           "lost",
		"C2s X3.1s r4s": "lost", // its data was changed by something else
		"C2s X50s r51s": "lost",
		"X0.5s r0.6s":   "lost", // its claim may be older than the list
		"C1s X1.1s":     "",     // not certain yet
		"X0.5s":         "",
		// a takeover, or its owner changes its data
		"C2s X2.1s N2.1s":                "",
		"C2s X2.1s r2.2s N2.3s":          "withdrew up", // not in one transaction
		"C2s X2.1s N2.1s X2.5s":          "lost",        // the new one expires
		"C2s X2.1s N2.1s C9s X9.1s r10s": "withdrew",
		"C1s X9s N9s":                    "",
		// in doubt
		"C1s l1.2s X1.5s r2s":      "lost", // a list in between
		"C1s l1.2s X5s":            "lost",
		"s9s C9s X9s r10s":         "lost", // the process was stopped
		"s9s C9.9s X9.95s r10s":    "lost",
		"C8s s9.5s X9.5s r10s":     "lost",
		"s9s C10.1s X10.2s r10.3s": "withdrew",
	} {
		t.Run(steps, func(t *testing.T) {
			start := time.Now()
			c, set := newChanges(), map[string]struct{}{alice: {}}
			c.listed(start, 0)
			last, number := start, int64(0)
			have := []string{}
			for _, step := range strings.Fields(steps) {
				after, err := time.ParseDuration(step[1:])
				if err != nil {
					t.Fatal(err)
				}
				at := start.Add(after)
				if step[0] != 's' { // it ran all the while
					for ; last.Before(at); last = last.Add(clockInterval) {
						c.running(last)
					}
				}
				c.running(at)
				last = at
				switch step[0] {
				case 'l':
					c.listed(at, number)
				case 'r':
					c.resolve()
				default:
					kind := map[byte]gozk.EventType{'C': gozk.EventNodeDataChanged, 'X': gozk.EventNodeDeleted, 'N': gozk.EventNodeCreated}[step[0]]
					if kind != 0 {
						number++
						c.add(alice, event{gozk.Event{Type: kind}, at, number})
					}
				}
				if strings.Contains(steps, "X2.1s N2.1s") && strings.HasPrefix(step, "X2.1s") {
					continue // one transaction: both are taken in together
				}
				have = append(have, told(c.certain(set), set)...)
			}
			if have := strings.Join(have, " "); have != want {
				t.Errorf("want %q, have %q", want, have)
			}
		})
	}
}

// told says what a change makes of alice, and makes it to the set.
func told(c sd.Change, set map[string]struct{}) (list []string) {
	switch {
	case len(c.Withdrew) > 0:
		list = append(list, "withdrew")
	case len(c.Down) > 0:
		list = append(list, "lost")
	case len(c.Up) > 0:
		list = append(list, "up")
	}
	for _, s := range c.Down {
		delete(set, s)
	}
	for _, s := range c.Up {
		set[s] = struct{}{}
	}
	return list
}

// Children whose events are certain are not kept.
func TestChangesForget(t *testing.T) {
	c, set := newChanges(), map[string]struct{}{}
	c.listed(time.Now().Add(-time.Hour), 0)
	for n := range 1000 {
		name := fmt.Sprint(n)
		for _, kind := range []gozk.EventType{gozk.EventNodeCreated, gozk.EventNodeDataChanged, gozk.EventNodeDeleted} {
			c.add(name, event{gozk.Event{Type: kind}, time.Now(), 1})
		}
	}
	c.certain(set)
	c.resolve()
	c.certain(set)
	if n := len(c.present) + len(c.claimed) + len(c.left); n != 0 {
		t.Errorf("kept: want nothing, have %d", n)
	}
}
