package lb

import (
	"io"
	"math"
	"sync"
	"sync/atomic"

	kitendpoint "github.com/go-kit/kit/endpoint"
)

// A Member is one instance in a Pool, with its endpoint and what is known about it.
type Member struct {
	// Read by every pick, and therefore first, in one cache line.
	calls    atomic.Int64  // in flight; retired is added when the member has left for good
	caution  atomic.Uint32 // reasons to look twice, a set of caution bits
	failures atomic.Uint32 // failed calls in a row
	latency  latencyAverage

	instance string
	hash     uint64 // of instance, for rendezvous
	serve    kitendpoint.Endpoint
	closer   io.Closer
	closing  sync.Once
	gone     func() // called once the closer has been closed
	history  *history

	warmFrom    int64        // first seen, when caution has warming
	failingFrom atomic.Int64 // when the first call began that failed since the last answer; 0 if none did
	probeAt     atomic.Int64 // when caution has failing: not before this

	// Guarded by Pool.mu.
	place      place
	position   int    // in the shelf of that place
	seen       uint64 // the last whole set that listed it
	leftAt     int64  // when it left the list
	aparts     int    // ejections in a row
	apartUntil int64  // end of the latest; 0 once it has answered
	tries      int    // factory failures in a row
}

// A place says on which shelf of the Pool a member stands.
type place uint8

const (
	nowhere place = iota // its factory has failed so far, or it has left for good
	ready
	aside
	reserve
	places
)

// The caution bits.
const (
	failing uint32 = 1 << iota // its calls fail, as far as blame can tell; one probe at a time
	warming                    // new; takes its share gradually
)

// retired is far below any number of calls, so that a negative count means: no new ones.
const retired = math.MinInt64 / 2

// Instance returns the string under which the registry lists the member.
func (m *Member) Instance() string { return m.instance }

// InFlight returns the number of calls that have begun and not ended.
func (m *Member) InFlight() int {
	n := m.calls.Load()
	if n < 0 {
		n -= retired
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

// end counts the end of a call; the last one closes the endpoint of a retired member.
func (m *Member) end() {
	if m.calls.Add(-1) == retired {
		m.close()
	}
}

// retire lets no further call begin. The endpoint is closed when the calls in flight have ended, here or in end.
func (m *Member) retire() {
	if m.serve == nil {
		return // the factory never gave one
	}
	if m.calls.Add(retired) == retired {
		m.close()
	}
}

// revive takes back a retirement, if calls are still in flight: with none of them left the endpoint is closed.
func (m *Member) revive() bool {
	for {
		n := m.calls.Load()
		if n >= 0 || n == retired { // not retired yet, or closed
			return false
		}
		if m.calls.CompareAndSwap(n, n-retired) {
			return true
		}
	}
}

// close runs beside the caller, who has a response in hand. Pool.Close awaits it through gone.
func (m *Member) close() {
	m.closing.Do(func() {
		go func() {
			if m.closer != nil {
				m.closer.Close() // nobody is left who could act on the error
			}
			m.gone()
		}()
	})
}

func (m *Member) warn(bit uint32)        { m.caution.Or(bit) }
func (m *Member) clear(bit uint32)       { m.caution.And(^bit) }
func (m *Member) warned(bit uint32) bool { return m.caution.Load()&bit != 0 }
