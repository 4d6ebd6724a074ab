package admin

import (
	"time"

	"example.com/daytime/sd"
)

// A statusPart is the first section: how the process is, in a word and some facts.
type statusPart struct {
	State mark
	Facts []fact
	// all that in a sentence, for a screen reader, to which it is read when it changes
	Sentence string
}

// A fact is a line of the status.
type fact struct {
	Label string
	State *mark
	Text  string
	Since time.Time // zero: none
}

// summarize fills in the status from the other sections.
func (s *Server) summarize(status *statusPart, sections []section) {
	status.State = s.processMark()
	for _, section := range sections {
		switch {
		case section.Servers != nil:
			status.Facts = append(status.Facts, section.Servers.fact())
		case section.Pool != nil:
			status.State = s.clientMark(section.Pool)
			status.Facts = append(status.Facts, section.Pool.fact())
		case section.Fleet != nil:
			status.Facts = append(status.Facts, section.Fleet.facts()...)
		}
	}
	status.Facts = append(status.Facts, fact{Label: "Running", Text: "since", Since: s.begun})
	if s.config.Version != "" {
		status.Facts = append(status.Facts, fact{Label: "Version", Text: s.config.Version})
	}
	status.Sentence = status.sentence()
}

// sentence is the status without its times.
func (p *statusPart) sentence() string {
	sentence := p.State.Word
	for _, f := range p.Facts {
		switch {
		case f.State != nil:
			sentence += ". " + f.Label + ": " + f.State.Word
		case f.Since.IsZero():
			sentence += ". " + f.Label + ": " + f.Text
		}
	}
	return sentence
}

// processMark is the state of a process that serves.
func (s *Server) processMark() mark {
	switch s.status() {
	case ready:
		return good(ready)
	case withdrawing:
		return held(withdrawing)
	default:
		return busy(starting)
	}
}

// clientMark is the state of a process that calls.
func (s *Server) clientMark(p *poolPart) mark {
	switch {
	case s.ctx.Err() != nil:
		return held("ending")
	case len(p.Rows) == 0:
		return idle("nobody to ask")
	case p.Ready == 0:
		return bad("nobody is ready")
	default:
		return good(ready)
	}
}

// A serversPart is the section of this process's servers.
type serversPart struct {
	Rows       []serverRow
	Registry   string // in which all are registered, if that is one
	Several    bool   // registries
	registered int
}

// A serverRow is one registration of one server. The first of a server has what all have in common.
type serverRow struct {
	Instance string
	Listen   string // where that is another address
	Open     int
	Served   uint64
	First    bool
	Registry string
	State    mark
	Since    time.Time
	Why      string
}

func newServersPart(listeners []Listener) *serversPart {
	p := &serversPart{}
	for _, l := range listeners {
		row := serverRow{Instance: l.Instance, Open: l.Open, Served: l.Served, First: true,
			State: idle("nowhere")}
		if l.Addr != l.Instance {
			row.Listen = clip(l.Addr)
		}
		if len(l.Registrations) == 0 {
			p.Rows = append(p.Rows, row)
		}
		for n, r := range l.Registrations {
			row.First = n == 0
			row.Registry, row.State = clip(r.Registry), phaseMark(r.State.Phase)
			row.Since, row.Why = r.State.Since, clipError(r.State.Err)
			p.add(row, r.State.Phase == sd.Registered)
		}
	}
	if p.Several {
		p.Registry = ""
	}
	return p
}

// add adds a registration.
func (p *serversPart) add(row serverRow, registered bool) {
	p.Several = p.Several || p.Registry != "" && p.Registry != row.Registry
	p.Registry = row.Registry
	p.Rows = append(p.Rows, row)
	if registered {
		p.registered++
	}
}

func (p *serversPart) fact() fact {
	if p.Registry == "" && !p.Several { // as with a fixed list
		state := idle("nowhere")
		return fact{Label: "Registered", State: &state}
	}
	state, total := good(count(p.registered)+" of "+count(len(p.Rows))), len(p.Rows)
	if p.registered < total {
		state.Tone, state.Sign = "warn", "▲"
	}
	return fact{Label: "Registered", State: &state}
}
