package zk_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/daytime/sd"
	"github.com/anishathalye/porcupine"
)

// A history is what the clients of one directory called, and what they were told, as operations
// that overlap. Each is an effect that came about between a call and a return.
type history struct {
	sim   *simulation
	clock atomic.Int64 // counts calls and returns

	mu      sync.Mutex
	names   map[string][]porcupine.Operation
	policy  []porcupine.Operation
	leaving map[leave]int64    // when the last Deregister was called
	owners  map[int64]*program // of sessions
}

type leave struct {
	p    *program
	name string
}

func newHistory(sim *simulation) *history {
	return &history{
		sim:     sim,
		names:   map[string][]porcupine.Operation{},
		leaving: map[leave]int64{},
		owners:  map[int64]*program{0: stranger, 0x1234: stranger},
	}
}

func (h *history) now() int64 { return h.clock.Add(1) }

// add notes an effect on name that was called then, and has come about by now.
func (h *history) add(name string, call int64, e effect[tenancy]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.names[name] = append(h.names[name], porcupine.Operation{Input: e, Call: call, Return: h.now()})
}

// addOpen notes an effect of p on name that comes about before it is settled, or never.
func (h *history) addOpen(name string, call int64, p *program, e effect[tenancy]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.names[name] = append(h.names[name],
		porcupine.Operation{Input: perhaps(e), Call: call, Return: math.MaxInt64, Metadata: p})
}

// settled notes that what is open of p has come about, or never will.
func (h *history) settled(p *program, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, o := range h.names[name] {
		if o.Metadata == p && o.Return == math.MaxInt64 {
			h.names[name][i].Return = h.now()
		}
	}
}

// after notes an effect on name that has come about once so much time has passed.
func (h *history) after(d time.Duration, name string, call int64, e effect[tenancy]) {
	h.sim.calls.Go(func() {
		time.Sleep(d)
		h.add(name, call, e)
	})
}

// record notes the Announces of p, from one call of told to the next and to the return. Of two
// changes at one time the latter alone is told: p may have registered and stepped aside in between.
func (h *history) record(p *program, b sd.Backend) sd.Backend {
	return patched{Backend: b, announce: func(ctx context.Context, entry sd.Entry, told func(sd.Status)) error {
		name, call := entry.Instance, h.now()
		between := func() {
			h.addOpen(name, call, p, registers(p))
			h.addOpen(name, call, p, stepsAside(p))
		}
		err := b.Announce(ctx, entry, func(s sd.Status) {
			h.know(p)
			between()
			if s.Phase == sd.Withheld {
				h.add(name, call, stepsAside(p))
			} else {
				h.add(name, call, registers(p))
			}
			h.settled(p, name)
			call = h.now()
			told(s)
		})
		between()
		h.returned(p, name, call, err)
		return err
	}}
}

// returned notes what the return of an Announce says.
func (h *history) returned(p *program, name string, call int64, err error) {
	h.mu.Lock()
	left := max(call, h.leaving[leave{p, name}])
	h.mu.Unlock()
	ended := errors.Is(err, context.Canceled)
	switch {
	case ended && errors.Is(err, sd.ErrUnconfirmed):
		h.addOpen(name, left, p, ends(p))
		return
	case ended && errors.Is(err, sd.ErrConflict):
		h.add(name, left, owned(func(owner *program) bool { return owner != p }))
	case ended:
		h.add(name, left, ends(p))
	case errors.Is(err, sd.ErrConflict):
		h.add(name, call, owned(func(owner *program) bool { return owner != nil && owner != p }))
		return
	case strings.Contains(err.Error(), "registration lost"):
		h.add(name, call, owned(func(owner *program) bool { return owner != p }))
	default:
		return
	}
	h.settled(p, name)
}

// leaves notes that p is about to withdraw name.
func (h *history) leaves(p *program, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leaving[leave{p, name}] = h.now()
}

// know notes which session is that of p.
func (h *history) know(p *program) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if id := p.session(); id != 0 {
		h.owners[id] = p
	}
}

// look reads who has the nodes, as far as it is known whose sessions they are of.
func (h *history) look() {
	for _, s := range h.sim.slots {
		if s.process != nil {
			h.know(s.process)
		}
		for _, name := range s.instances {
			call := h.now()
			_, stat, err := h.sim.server.Get("/go_servers/" + name)
			h.mu.Lock()
			have, known := h.owners[stat.EphemeralOwner]
			h.mu.Unlock()
			if err != nil {
				have, known = nil, true
			}
			if known {
				h.add(name, call, owned(func(owner *program) bool { return owner == have }))
			}
		}
	}
}

// edit has the operator in s read the policy, and write document in its place.
func (h *history) edit(s *slot, document string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	store, call := sd.PolicyStore(s.process.backend), h.now()
	before, version, err := store.ReadPolicy(ctx)
	if err != nil {
		return
	}
	h.addPolicy(call, h.now, reads(policyText{before, version}))
	call = h.now()
	written := version
	if h.sim.blind {
		_, written, _ = store.ReadPolicy(ctx)
	}
	switch err = store.WritePolicy(ctx, document, written); {
	case errors.Is(err, sd.ErrOutdated):
		h.addPolicy(call, h.now, outdates(version))
		return
	case err != nil:
		h.addPolicy(call, func() int64 { return math.MaxInt64 }, perhaps(writes(document, version)))
	default:
		h.addPolicy(call, h.now, writes(document, version))
	}
	for _, s := range h.sim.slots {
		for _, name := range s.instances {
			if e := withholds(policyWithholds(document, name)); err != nil {
				h.addOpen(name, call, nil, e)
			} else {
				h.after(policyDelay, name, call, e)
			}
		}
	}
}

func (h *history) addPolicy(call int64, end func() int64, e effect[policyText]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.policy = append(h.policy, porcupine.Operation{Input: e, Call: call, Return: end()})
}

// check asks whether there is an order in which all that was told can have come about. If there is
// none it says of what, and it does not know after so much time for one of them.
func (h *history) check(limit time.Duration) (result porcupine.CheckResult, of string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, operations := range h.names {
		result = porcupine.CheckOperationsTimeout(model[tenancy](), operations, limit)
		if result != porcupine.Ok {
			return result, fmt.Sprintf("%d operations on %s", len(operations), name)
		}
	}
	result = porcupine.CheckOperationsTimeout(model[policyText](), h.policy, limit)
	return result, fmt.Sprintf("%d operations on the policy", len(h.policy))
}
