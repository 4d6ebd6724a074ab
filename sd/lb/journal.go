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

// noteFailure logs that m is set aside, for how long, and why. The caller holds mu; the logger does
// not block.
func (p *Pool) noteFailure(m *Member, was health, now int64, err error) {
	if was == answering && m.health != answering {
		wait := time.Duration(m.probeAt - now).Round(time.Millisecond)
		p.note(now, "msg", "set aside", "instance", m.instance, "for", wait, "err", err)
	}
}

// noteReturn logs that m answers again, after calls had failed since. The caller holds mu.
func (p *Pool) noteReturn(m *Member, since, now int64) {
	after := time.Duration(now - since).Round(time.Millisecond)
	p.note(now, "msg", "answers again", "instance", m.instance, "after", after)
}

// note logs a line, if there may be one.
func (p *Pool) note(now int64, line ...any) {
	ok, untold := p.journal.allows(now)
	if untold > 0 {
		line = append(line, "untold", untold)
	}
	if ok {
		p.logger.Log(line...)
	}
}
