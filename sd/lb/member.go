package lb

import (
	"io"
	"math"
	"sync/atomic"

	kitendpoint "github.com/go-kit/kit/endpoint"

	"example.com/daytime/sd/lb/internal/latency"
	"example.com/daytime/sd/policy"
)

// A Member is one instance in a Pool, with its endpoint and its record. A hundred thousand of them
// are many: the fields are no larger than they need to be.
type Member struct {
	// Read by every pick, and therefore first, in one cache line.
	calls   atomic.Int64 // in flight; closing is added when the endpoint is to be closed
	warming atomic.Bool  // new; takes its share gradually
	weight  atomic.Int32 // policy.Effective's, as are side, zone and drained
	side    atomic.Int32
	latency latency.Average

	failures     atomic.Uint32 // in a row, since the last answer
	failingSince atomic.Int64  // when the first call began that failed since the last answer; or 0
	answeredAt   atomic.Int64  // when the latest answer came
	warmFrom     atomic.Int64  // when slow start began

	instance string
	serve    kitendpoint.Endpoint
	closer   io.Closer
	closed   func() // called once the closer has returned
	history  *history

	// Guarded by Pool.mu.
	partition    *partition // nil if m is unplaced
	zone         string     // as far as the Pool tells zones apart, see maxZones
	lostAt       int64      // when it left the list
	failedAt     int64      // when the latest failure was counted
	probeAt      int64      // no probe before; meaningful while health is failing or ejected
	probePlanned int64      // when the timer for that ends which counts; 0 if none does
	ejectedUntil int64      // end of the latest ejection; 0 once it has answered
	position     int32      // in the partition
	seen         uint32     // the last whole set that listed it
	builds       uint16     // factory failures in a row
	ejections    uint8      // in a row
	presence     presence
	health       health
	reported     memberState
	drained      bool
}

// A presence is where an instance stands in the registry.
type presence uint8

const (
	pending presence = iota // listed; its factory has failed so far
	listed
	reserve // lost from the list, and not yet given up
	gone
)

// A health says whether a member answers.
type health uint8

const (
	answering health = iota // nothing speaks against it
	failing                 // its latest calls failed
	ejected                 // it refused a connection, or failed maxFailures times
	due                     // failing or ejected, and time for a probe
)

// newMember returns a pending member without attributes.
func newMember(instance string, h *history) *Member {
	m := &Member{instance: instance, history: h}
	m.weight.Store(policy.DefaultWeight)
	return m
}

// rank is the rank in which m stands.
func (m *Member) rank() rank {
	if m.partition == nil {
		return unplaced
	}
	return m.partition.rank
}

// home is the rank that m belongs to.
func (m *Member) home() rank {
	switch {
	case m.presence != listed && m.presence != reserve:
		return unplaced
	case m.health == due && m.presence == listed && m.drained:
		return drainedProbing
	case m.health == due && m.presence == listed:
		return probing
	case m.health != answering:
		return failed
	case m.presence == reserve:
		return reserved
	case m.drained:
		return drained
	default:
		return ready
	}
}

// cell is the cell that m belongs to.
func (m *Member) cell() cell { return cell{int(m.side.Load()), m.zone, classOf(m.Weight())} }

// reweighed reports whether m stands in its partition with another weight than it has now.
func (m *Member) reweighed() bool {
	return m.partition.chunks[m.position/span].weights[m.position%span] != drawWeight(m.Weight())
}

// counts reports whether m is one of the listed members against which the reserve is measured.
func (m *Member) counts() bool { return m.presence == listed && !m.drained }

// closing is far below any number of calls, so that a negative count means: no new ones.
const closing = math.MinInt64 / 2

// Instance returns the string under which the registry lists the member.
func (m *Member) Instance() string { return m.instance }

// Weight returns its weight, 0 to 1000; 100 unless the registry says otherwise. Members of weight 0
// are open to picks only when no others are.
func (m *Member) Weight() int { return int(m.weight.Load()) }

// InFlight returns the number of calls that have begun and not ended.
func (m *Member) InFlight() int {
	n := m.calls.Load()
	if n < 0 {
		n -= closing
	}
	return int(n)
}

// begin counts a call. It refuses when the endpoint is closed, or about to be.
func (m *Member) begin() bool {
	for {
		n := m.calls.Load()
		if n < 0 {
			return false
		}
		if m.calls.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// end counts the end of a call; the last one closes the endpoint of a member that was closed.
func (m *Member) end() {
	if m.calls.Add(-1) == closing {
		m.closeEndpoint()
	}
}

// close lets no further call begin. The endpoint is closed when the calls in flight have ended,
// here or in end.
func (m *Member) close() {
	if m.serve == nil {
		return // the factory never gave one
	}
	if m.calls.Add(closing) == closing {
		m.closeEndpoint()
	}
}

// reopen takes back a close, if calls are still in flight: with none of them left the endpoint is
// closed.
func (m *Member) reopen() bool {
	for {
		n := m.calls.Load()
		if n >= 0 || n == closing { // not closed yet, or for good
			return false
		}
		if m.calls.CompareAndSwap(n, n-closing) {
			return true
		}
	}
}

// closeEndpoint runs the closer beside its caller, which has a response in hand. Pool.Close awaits
// it through closed. It is called once: whatever is added to calls after that, they are not closing
// again.
func (m *Member) closeEndpoint() {
	go func() {
		if m.closer != nil {
			m.closer.Close() // there is no caller left for the error
		}
		m.closed()
	}()
}
