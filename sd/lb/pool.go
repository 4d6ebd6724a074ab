package lb

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/signal"
	"example.com/daytime/sd/lb/internal/journal"
	"example.com/daytime/sd/policy"
	kitendpoint "github.com/go-kit/kit/endpoint"
	kitsd "github.com/go-kit/kit/sd"
	kitlb "github.com/go-kit/kit/sd/lb"
	kitlog "github.com/go-kit/log"
)

// A Pool keeps an endpoint for each instance that an Instancer lists.
//
// It has one goroutine, run, which applies changes, calls the factory and serves the timers; Close
// ends and awaits it. Endpoints of instances that left are each closed in a goroutine of their own,
// which Close awaits too.
type Pool struct {
	factory kitsd.Factory
	logger  *sd.AsyncLogger
	meters  meters
	config  poolConfig
	stater  stater // nil: src is none

	snapshot     atomic.Pointer[Snapshot]
	breakerMoved atomic.Bool   // the reserve failed: its next answer resets the breaker
	sinceProbe   atomic.Uint32 // calls made while a probe was due, since the last one
	probes       atomic.Int32  // without an answer yet
	born         time.Time

	unsubscribe func()
	changes     chan sd.Change
	wake        signal.Signal // the earliest timer has changed
	begun       signal.Signal // a set was taken in, or has its first endpoints
	done        chan struct{}
	running     sync.WaitGroup // run
	endpoints   sync.WaitGroup // not yet closed
	closeOnce   sync.Once
	route       route // of the calls without a Retry

	mu       sync.Mutex // held for bookkeeping only: never across a factory or a send
	members  map[string]*Member
	past     map[string]*history // of instances that left and may return
	tiers    [ranks]tier
	listed   int                // members that are listed and not drained, whatever their health
	zones    map[string]int     // members of each zone, listed or in reserve
	merged   map[*Member]string // the zones of members that have none for that reason, see maxZones
	sides    []policy.Side      // of the policy
	breaker  breaker
	journal  journal.Journal   // of members that are set aside and come back
	states   [memberStates]int // members in each
	reported [memberStates]int // the same, as the metrics have it
	timers   timers
	known    bool
	knownAt  int64  // when the first set arrived
	set      uint32 // counts whole sets
	changed  bool   // since the last publish
	closed   bool
}

var _ kitsd.Endpointer = (*Pool)(nil)

// NewPool subscribes to src and makes an endpoint for each instance with factory, one at a time: a
// factory must not block, as go-kit's do not. One that fails is asked again, after 100 ms at first
// and 30 s at most, for as long as its instance is listed. The logger gets a line for each of these
// failures, each ejection and each error of src; no call and no change waits for it.
//
// A src with sd.Instancer's method Follow tells which instances withdrew, and what the policy makes
// of them. From any other the Pool gets whole sets: whatever leaves is lost, not withdrawn, and
// stays in [Reserve] for its time.
//
// Over an [sd.Instancer] that has a set NewPool returns when there are endpoints, after 100 ms at
// most, so that Balancer and Endpoints have some at once.
func NewPool(
	src kitsd.Instancer, factory kitsd.Factory, logger kitlog.Logger, options ...PoolOption,
) *Pool {
	p := &Pool{
		factory: factory,
		logger:  sd.NewAsyncLogger(logger),
		config: poolConfig{
			reserve:     int64(40 * time.Second),
			slowStart:   int64(10 * time.Second),
			minEjection: int64(time.Second),
			maxEjection: int64(30 * time.Second),
		},
		born:    time.Now(),
		changes: make(chan sd.Change),
		wake:    signal.New(),
		begun:   signal.New(),
		done:    make(chan struct{}),
		members: make(map[string]*Member),
		past:    make(map[string]*history),
		zones:   make(map[string]int),
		merged:  make(map[*Member]string),
	}
	for _, option := range options {
		option(&p.config)
	}
	p.meters = newMeters(p.config.metrics)
	p.snapshot.Store(newSnapshot([ranks]ranked{}, false, nil, 0))
	p.stater, _ = src.(stater)
	p.running.Go(p.run)
	p.unsubscribe = p.subscribe(src)
	p.awaitFirst()
	return p
}

// Close ends the subscription, waits for the calls in flight and closes every endpoint. Calls that
// come later fail with ErrClosed, those on endpoints that Endpoints returned before included. The
// last log lines are waited for, 1 s at most. It must not be called from within a call.
func (p *Pool) Close() error {
	p.closeOnce.Do(func() {
		p.unsubscribe() // while run still receives: an Instancer may be blocked in a send to it
		close(p.done)
		p.running.Wait()
		p.closeAll()
		p.endpoints.Wait()
		p.logger.Close()
	})
	return nil
}

func (p *Pool) closeAll() {
	p.mu.Lock()
	p.closed, p.changed = true, true
	members := p.members
	p.members = make(map[string]*Member)
	for _, m := range members {
		m.presence = gone
		p.place(m)
		p.save(m)
	}
	p.publish()
	p.mu.Unlock()
	for _, m := range members {
		m.close()
	}
}

// Endpoints implements go-kit's sd.Endpointer: one endpoint for each member open to a pick, in the
// order of their instances. The slice is made once for each snapshot and shared: do not change it.
func (p *Pool) Endpoints() ([]kitendpoint.Endpoint, error) {
	s := p.snapshot.Load()
	if s.closed {
		return nil, ErrClosed
	}
	s.once.Do(func() {
		members := make([]*Member, s.Len())
		for i := range members {
			members[i] = s.At(i)
		}
		slices.SortFunc(members, func(a, b *Member) int {
			return strings.Compare(a.instance, b.instance)
		})
		for _, m := range members {
			s.endpoints = append(s.endpoints, p.endpoint(m))
		}
	})
	return s.endpoints, nil
}

// Balancer returns a go-kit lb.Balancer. Its endpoint picks a member each time it is called, so it
// may be kept. A probe that was certainly not sent to its member goes on to another one.
func (p *Pool) Balancer(picker Picker) kitlb.Balancer {
	return &balancer{pool: p, endpoint: p.picking(picker)}
}

type balancer struct {
	pool     *Pool
	endpoint kitendpoint.Endpoint
}

// Endpoint implements go-kit's lb.Balancer.
func (b *balancer) Endpoint() (kitendpoint.Endpoint, error) {
	s := b.pool.snapshot.Load()
	if s.n == 0 {
		return nil, s.empty()
	}
	return b.endpoint, nil
}

// now is the Pool's clock: monotonic nanoseconds since it was made.
func (p *Pool) now() int64 { return int64(time.Since(p.born)) }

// place moves m to the place that it belongs to after a change of its presence, health or
// attributes. The caller holds mu, and publishes.
func (p *Pool) place(m *Member) {
	p.states[m.reported]--
	m.reported = m.state()
	p.states[m.reported]++
	to, c := m.home(), m.cell()
	if to == m.rank() && (to == unplaced || m.partition.cell == c && !m.reweighed()) {
		return
	}
	p.changed = true
	if m.partition != nil {
		p.tiers[m.rank()].remove(m)
	}
	if to != unplaced {
		p.tiers[to].add(m, c, to)
	}
}

// setPresence is the only place that changes m's presence. The caller holds mu, and publishes.
func (p *Pool) setPresence(m *Member, to presence) {
	p.count(m, -1)
	if m.presence = to; to == listed {
		p.setZone(m, cmp.Or(p.merged[m], m.zone)) // others may have filled the room, or left
	}
	p.count(m, +1)
	p.place(m)
	p.changed = true // the number of listed members decides on the reserve
}

// setEffective takes over the registry's word on m. A member that was drained comes back through
// slow start. The caller holds mu, and publishes.
func (p *Pool) setEffective(m *Member, e policy.Effective) {
	p.count(m, -1)
	back := m.drained && !e.Drained
	if m.drained != e.Drained {
		p.changed = true // as in setPresence, also if its place stays the same
	}
	m.weight.Store(int32(e.Weight))
	m.side.Store(int32(e.Side))
	m.drained = e.Drained
	p.setZone(m, e.Zone)
	p.count(m, +1)
	p.place(m)
	if back && m.presence == listed {
		p.warmUp(m, p.now())
		p.planProbe(m)
	}
}

// setZone takes over the zone, if the Pool tells it apart. The caller holds mu.
func (p *Pool) setZone(m *Member, zone string) {
	m.zone = zone
	delete(p.merged, m)
	if _, known := p.zones[zone]; !known && len(p.zones) >= maxZones {
		m.zone = ""
		p.merged[m] = zone
	}
}

// separateZones looks at the zones again that were merged, once there is room. The caller holds mu.
func (p *Pool) separateZones() {
	if len(p.zones) >= maxZones {
		return
	}
	for m, zone := range p.merged {
		p.count(m, -1)
		p.setZone(m, zone)
		p.count(m, +1)
		p.place(m)
	}
}

// maxZones is how many zones are told apart. The members of all further ones count as without a
// zone: the registry is not to be trusted with the cost of a pick.
const maxZones = 64

// count counts m among the listed members and those of its zone, or off. The caller holds mu.
func (p *Pool) count(m *Member, n int) {
	if m.counts() {
		p.listed += n
	}
	if m.presence == listed || m.presence == reserve {
		if p.zones[m.zone] += n; p.zones[m.zone] == 0 {
			delete(p.zones, m.zone)
		}
	}
}

// publish shows the tiers to picks, if they have changed. It costs the chunks that did. The
// caller holds mu.
func (p *Pool) publish() {
	p.recordMembers()
	if !p.changed {
		return
	}
	p.changed = false
	var lists [ranks]ranked
	for i := range p.tiers {
		lists[i] = p.tiers[i].publish()
	}
	inReserve := p.tiers[reserved].n
	few := p.listed < inReserve // fewer than half of listed and reserve together
	s := newSnapshot(lists, few && p.breaker.trusts(p.now()), p.sides, len(p.zones))
	s.closed = p.closed
	p.breakerMoved.Store(p.breaker.failures > 0 && inReserve > 0)
	close(p.snapshot.Swap(s).superseded)
}
