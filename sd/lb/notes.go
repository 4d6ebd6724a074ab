package lb

import "time"

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

// note logs a line, if there may be one. The caller holds mu.
func (p *Pool) note(now int64, line ...any) {
	ok, untold := p.journal.Allows(now)
	if untold > 0 {
		line = append(line, "untold", untold)
	}
	if ok {
		p.logger.Log(line...)
	}
}
