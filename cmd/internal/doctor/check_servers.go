package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/daytime/cmd/internal/doctor/report"
	"example.com/daytime/cmd/internal/probe"
	"example.com/daytime/cmd/internal/shell"
)

// checkServers tells what the servers said themselves.
func (d *diagnosis) checkServers() {
	nodes := d.instances()
	if len(nodes) == 0 {
		return
	}
	answered, unasked := []*node{}, 0
	for _, n := range nodes {
		switch n.found.Nature {
		case probe.Local, "":
			unasked++
		case probe.Daytime, probe.Unclear:
			answered = append(answered, n)
			d.checkIdentity(n)
		}
		d.checkAnswer(n)
	}
	if unasked > 0 {
		d.Unchecked("answer", fmt.Sprintf("%s could not be asked by this host",
			shell.Count(unasked, "server")))
	}
	if len(answered) > 0 {
		took := fmt.Sprint(probe.Round(slices.MinFunc(answered, byTime).answer.Took))
		if len(answered) > 1 {
			took += fmt.Sprintf(" to %v", probe.Round(slices.MaxFunc(answered, byTime).answer.Took))
		}
		d.Fine("answer", "", "%d of %s %s the time, in %s", len(answered),
			shell.Count(len(nodes), "server"), verb(len(answered), "tell"), took)
	}
	d.checkClocks(answered)
	if !d.Has("identity") {
		d.tellIdentity(answered)
	}
}

// tellIdentity tells that servers answer under their own names, as far as they do under any: those
// that are anonymous do not.
func (d *diagnosis) tellIdentity(answered []*node) {
	named := 0
	for _, n := range answered {
		named += min(len(n.answer.Names), 1)
	}
	switch {
	case len(answered) == 0:
	case named == 0:
		d.Unchecked("identity", "the answers say no name")
	case named < len(answered):
		d.Fine("identity", "", "%d of %d answer under the names they are registered with, the others "+
			"with none", named, len(answered))
	default:
		d.Fine("identity", "", "they answer under the names they are registered with")
	}
}

func byTime(a, b *node) int { return cmp.Compare(a.answer.Took, b.answer.Took) }

func verb(n int, word string) string {
	if n == 1 {
		return word + "s"
	}
	return word
}

// checkAnswer tells of an address that is not reached, or is no daytime server.
func (d *diagnosis) checkAnswer(n *node) {
	problem, advice := d.diagnose(n)
	if problem == "" {
		return
	}
	severity := report.Error
	if n.found.Nature == probe.Unclear {
		severity = report.Warning
	}
	if detail := n.found.Detail; detail != "" {
		problem += ": " + detail
	}
	d.Note(severity, "answer", n.name, advice, "%s", problem)
}

// diagnose says what the nature of an address means for a registered server, and what to do;
// nothing if all is well, or nothing is known.
func (d *diagnosis) diagnose(n *node) (problem, advice string) {
	switch n.found.Nature {
	case probe.Unreachable:
		return "there is no way to it from here" + d.familyText(n),
			"mend the network, or have it advertise an address that its clients can reach"
	case probe.NoConnect:
		return fmt.Sprintf("no connection within %v", d.Timeout),
			"see whether its host is up, and what a firewall drops"
	case probe.Silent:
		return fmt.Sprintf("it accepts connections, and answers nothing within %v: it hangs",
				d.Timeout),
			"restart it; look at its goroutines first (--admin, /debug/pprof/)"
	}
	problem, advice = n.found.Nature.Meaning()
	if _, dialled := defaultPort(d.Target.Scheme); !dialled && n.found.Nature == probe.Refused {
		advice = "start it again, or take it off the list" // from which no session takes it
	}
	return problem, advice
}

// familyText says that this host has no address of the node's family, if so.
func (d *diagnosis) familyText(n *node) string {
	for _, a := range d.self.Addresses {
		if !a.IsLoopback() && a.Is4() == n.at.Addr().Is4() {
			return ""
		}
	}
	if n.at.Addr().Is4() {
		return " (this host has no IPv4 address)"
	}
	return " (this host has no IPv6 address)"
}

// checkIdentity tells of a server that answers under another name.
func (d *diagnosis) checkIdentity(n *node) {
	switch names := n.answer.Names; {
	case len(names) > 1:
		slices.Sort(names)
		d.Error("process", n.name, "stop one of them", "%s",
			"it answers in turn as "+strings.Join(names,
				" and ")+": two processes share the address")
	case len(names) == 1 && names[0] != n.name && d.find(names[0]) != nil:
		d.Error("identity", n.name, "delete the name that is not its own, or stop who registers it",
			"it answers as %s, which is registered, too: one server under two names", names[0])
	case len(names) == 1 && names[0] != n.name:
		d.Error("identity", n.name, "correct --advertise, or find out what stands between",
			"it answers as %s: another server, or one that does not know its address", names[0])
	}
}

// checkClocks tells of wrong clocks. If most servers agree that it is this host's, that is told
// instead.
func (d *diagnosis) checkClocks(nodes []*node) {
	known := slices.DeleteFunc(slices.Clone(nodes),
		func(n *node) bool { return !n.answer.Clock.Known })
	if len(known) == 0 {
		return
	}
	slices.SortFunc(known, func(a, b *node) int {
		return cmp.Compare(a.answer.Clock.Offset,
			b.answer.Clock.Offset)
	})
	base := time.Duration(0)
	if median := known[len(known)/2].answer.Clock; median.Offset.Abs() > maxClock+median.Bound &&
		agreeing(known, median) {
		base = median.Offset
		d.Error("clock", "this host", "set the time here (NTP)",
			"its clock is wrong, or those of most servers: they are at %v", median)
	}
	least, most := time.Duration(0), time.Duration(0)
	for _, n := range known {
		c := n.answer.Clock
		least, most = min(least, c.Offset), max(most, c.Offset)
		if off := c.Offset - base; off.Abs() > maxClock+c.Bound {
			direction := "ahead"
			if off < 0 {
				direction = "behind"
			}
			d.Error("clock", n.name, "set the time there (NTP), and keep it set",
				"its clock is %v %s (±%v)", probe.Round(off.Abs()), direction, probe.Round(c.Bound))
		}
	}
	if !d.Has("clock") {
		d.Fine("clock", "", "%s within %v of this host's", shell.Count(len(known), "clock"),
			probe.Round(max(-least, most)))
	}
}

// agreeing reports whether most clocks, three at least, have an offset as the median's.
func agreeing(known []*node, median probe.Clock) bool {
	n := 0
	for _, k := range known {
		if (k.answer.Clock.Offset - median.Offset).Abs() <= maxClock+median.Bound {
			n++
		}
	}
	return n >= 3 && 2*n > len(known)
}
