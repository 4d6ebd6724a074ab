package lb

import (
	"time"

	"github.com/go-kit/kit/metrics"
)

// Metrics are the instruments of a Pool and of the Retries on it. One that is nil is not kept. Each
// label has all its values from the start. An instrument is bound to them once, by With, and used
// by many goroutines at once, some of which hold the Pool's lock: it must not block.
type Metrics struct {
	// Members is how many there are by "state": ready, failing, ejected, drained, reserve, pending.
	// The usual name is lb_members.
	Members metrics.Gauge
	// Attempts counts them by "outcome": answered, error (which may be the request's own),
	// cancelled, and the evidence against a member: refused, unreachable, silent, outlived.
	// lb_attempts_total.
	Attempts metrics.Counter
	// Ejections counts them by "cause": the four kinds of evidence. lb_ejections_total.
	Ejections metrics.Counter
	// BudgetExhausted counts the attempts that the retry budget did not allow.
	// lb_retry_budget_exhausted_total.
	BudgetExhausted metrics.Counter
	// CallDuration is the time that calls through Retry took, in seconds.
	// rpc_client_call_duration_seconds.
	CallDuration metrics.Histogram
}

// Instruments has the Pool and the Retries on it report to m. The default is nothing.
func Instruments(m Metrics) PoolOption { return func(c *poolConfig) { c.metrics = m } }

// A memberState is the state of a member in the metrics.
type memberState uint8

const (
	absent memberState = iota
	stateReady
	stateFailing
	stateEjected
	stateDrained
	stateReserve
	statePending
	memberStates // their number
)

// state is where m stands now. The caller holds mu.
func (m *Member) state() memberState {
	switch {
	case m.presence == gone:
		return absent
	case m.presence == pending:
		return statePending
	case m.presence == reserve:
		return stateReserve
	case m.health == ejected:
		return stateEjected
	case m.drained:
		return stateDrained
	case m.health == answering:
		return stateReady
	default:
		return stateFailing
	}
}

// The outcomes of an attempt are the kinds of evidence, of which noEvidence is called error, and
// two more.
const (
	outcomeAnswered = evidences + iota
	outcomeCancelled
	outcomes // their number
)

// String is the word for an outcome of an attempt.
func (e evidence) String() string {
	return [outcomes]string{
		noEvidence: "error", refused: "refused", unreachable: "unreachable", silent: "silent",
		outlived: "outlived", outcomeAnswered: "answered", outcomeCancelled: "cancelled",
	}[e]
}

// A meter is a counter, or nothing.
type meter struct{ counter metrics.Counter }

func (m meter) add(n float64) {
	if m.counter != nil {
		m.counter.Add(n)
	}
}

// meters are the Metrics of a Pool, bound to their labels.
type meters struct {
	members   [memberStates]metrics.Gauge
	attempts  [outcomes]meter
	ejections [evidences]meter
	exhausted meter
	duration  metrics.Histogram
}

func newMeters(m Metrics) (bound meters) {
	if m.Members != nil {
		for state, name := range [...]string{
			stateReady: "ready", stateFailing: "failing", stateEjected: "ejected",
			stateDrained: "drained", stateReserve: "reserve", statePending: "pending",
		} {
			if name != "" {
				bound.members[state] = m.Members.With("state", name)
				bound.members[state].Set(0)
			}
		}
	}
	for outcome := range outcomes {
		bound.attempts[outcome] = newMeter(m.Attempts, "outcome", outcome.String())
	}
	for cause := refused; cause < evidences; cause++ {
		bound.ejections[cause] = newMeter(m.Ejections, "cause", cause.String())
	}
	bound.exhausted = newMeter(m.BudgetExhausted)
	bound.duration = m.CallDuration
	return bound
}

// newMeter binds a counter, and shows it.
func newMeter(c metrics.Counter, label ...string) meter {
	if c == nil {
		return meter{}
	}
	if len(label) > 0 {
		c = c.With(label...)
	}
	c.Add(0)
	return meter{c}
}

// recordMembers reports the numbers that have changed. The caller holds mu.
func (p *Pool) recordMembers() {
	for state, gauge := range p.meters.members {
		if gauge != nil && p.states[state] != p.reported[state] {
			p.reported[state] = p.states[state]
			gauge.Set(float64(p.states[state]))
		}
	}
}

// recordDuration reports a call that began at begin.
func (m *meters) recordDuration(begin time.Time) {
	m.duration.Observe(time.Since(begin).Seconds())
}
