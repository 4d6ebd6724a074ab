package lb

import "time"

const (
	maxNotes     = 10 // log lines about members at once
	noteInterval = int64(3 * time.Second)
)

// A journal bounds the log lines about members that are set aside and come back: ten at once, and
// one each 3 s after that. Beyond that they are counted, and the next line says so. The Pool's lock
// guards it.
type journal struct {
	spent  int64 // each line costs noteInterval; the time pays it back
	at     int64
	untold int
}

// allows reports whether there may be a line now, and how many there were not since the last one.
func (j *journal) allows(now int64) (ok bool, untold int) {
	j.spent = max(j.spent-(now-j.at), 0)
	j.at = now
	if j.spent > (maxNotes-1)*noteInterval {
		j.untold++
		return false, 0
	}
	j.spent += noteInterval
	untold, j.untold = j.untold, 0
	return true, untold
}

// note logs that m is set aside, and why, or that it is back. The caller holds mu; the logger does
// not block.
func (p *Pool) note(m *Member, was health, dropped []*Member, err error) {
	now := p.now()
	var line []any
	switch {
	case len(dropped) > 0:
		line = []any{"msg", "dropped from the reserve", "instance", m.instance, "err", err}
	case was == answering && m.health != answering:
		m.asideSince = now
		wait := time.Duration(m.probeAt - now).Round(time.Millisecond)
		line = []any{"msg", "set aside", "instance", m.instance, "for", wait, "err", err}
	case was != answering && m.health == answering:
		took := time.Duration(now - m.asideSince).Round(time.Millisecond)
		line = []any{"msg", "answers again", "instance", m.instance, "after", took}
	default:
		return
	}
	ok, untold := p.journal.allows(now)
	if untold > 0 {
		line = append(line, "untold", untold)
	}
	if ok {
		p.logger.Log(line...)
	}
}
