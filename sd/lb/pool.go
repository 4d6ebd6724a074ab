package lb

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/daytime/sd"
	kitendpoint "github.com/go-kit/kit/endpoint"
	kitsd "github.com/go-kit/kit/sd"
	kitlb "github.com/go-kit/kit/sd/lb"
	kitlog "github.com/go-kit/log"
)

// A Pool keeps an endpoint for each instance that an Instancer lists.
//
// It has one goroutine, run, which takes in changes, calls the factory and minds the times; Close ends and awaits it.
// Endpoints of instances that left are each closed in a goroutine of their own, which Close awaits too.
type Pool struct {
	factory kitsd.Factory
	logger  kitlog.Logger
	config  poolConfig

	snapshot atomic.Pointer[Snapshot]
	wary     atomic.Bool // some of the reserve have failed: answers from it are worth a lock
	born     time.Time

	unsubscribe func()
	changes     chan sd.Change
	nudge       chan struct{} // the agenda has an earlier entry; capacity 1
	done        chan struct{}
	running     sync.WaitGroup // run
	open        sync.WaitGroup // endpoints not yet closed
	closeOnce   sync.Once

	mu      sync.Mutex // held for bookkeeping only: never across a factory, a log line or a send
	members map[string]*Member
	past    map[string]*history // of instances that left and may return
	shelves [places]shelf
	doubted int // ready members that fail
	trust   trust
	agenda  agenda
	known   bool
	knownAt int64  // when the first set arrived
	set     uint64 // counts whole sets
	closed  bool
}

var _ kitsd.Endpointer = (*Pool)(nil)

// NewPool subscribes to src and makes an endpoint for each instance with factory, one at a time: a factory must not
// block, as go-kit's do not. One that fails is asked again, after 100 ms at first and 30 s at most, for as long as its
// instance is listed. The logger gets a line for each of these failures, each ejection and each error of src.
func NewPool(src kitsd.Instancer, factory kitsd.Factory, logger kitlog.Logger, options ...PoolOption) *Pool {
	p := &Pool{
		factory: factory,
		logger:  logger,
		config: poolConfig{
			reserve:   int64(40 * time.Second),
			slowStart: int64(10 * time.Second),
			apartMin:  int64(time.Second),
			apartMax:  int64(30 * time.Second),
		},
		born:    time.Now(),
		changes: make(chan sd.Change),
		nudge:   make(chan struct{}, 1),
		done:    make(chan struct{}),
		members: make(map[string]*Member),
		past:    make(map[string]*history),
	}
	for _, option := range options {
		option(&p.config)
	}
	p.snapshot.Store(&Snapshot{superseded: make(chan struct{})})
	p.running.Go(p.run)
	p.unsubscribe = p.subscribe(src)
	return p
}

// Close ends the subscription, waits for the calls in flight and closes every endpoint. Calls that come later fail with
// ErrClosed, those on what Endpoints returned before included. It must not be called from within a call.
func (p *Pool) Close() error {
	p.closeOnce.Do(func() {
		p.unsubscribe() // while run still receives: an Instancer may be blocked in a send to it
		close(p.done)
		p.running.Wait()
		p.retireAll()
		p.open.Wait()
	})
	return nil
}

func (p *Pool) retireAll() {
	p.mu.Lock()
	p.closed = true
	members := p.members
	p.members = make(map[string]*Member)
	p.shelves, p.doubted = [places]shelf{}, 0
	for _, m := range members {
		m.place = nowhere
		p.remember(m)
	}
	p.publish()
	p.mu.Unlock()
	for _, m := range members {
		m.retire()
	}
}

// Endpoints implements go-kit's sd.Endpointer: one endpoint for each member open to a pick, in the order of their
// instances. The slice is made once for each snapshot and shared: do not change it.
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
		slices.SortFunc(members, func(a, b *Member) int { return strings.Compare(a.instance, b.instance) })
		for _, m := range members {
			s.endpoints = append(s.endpoints, p.endpoint(m))
		}
	})
	return s.endpoints, nil
}

// Balancer returns a go-kit lb.Balancer. Its endpoint picks a member each time it is called, so it may be kept.
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

// empty is the error for a snapshot without members.
func (s *Snapshot) empty() error {
	if s.closed {
		return ErrClosed
	}
	return kitlb.ErrNoEndpoints
}

// now is the Pool's clock: monotonic nanoseconds since it was made.
func (p *Pool) now() int64 { return int64(time.Since(p.born)) }

// publish makes the shelves what picks see. It costs the chunks that changed. The caller holds mu.
func (p *Pool) publish() {
	s := &Snapshot{
		ready:      p.shelves[ready].publish(),
		aside:      p.shelves[aside].publish(),
		reserve:    p.shelves[reserve].publish(),
		closed:     p.closed,
		superseded: make(chan struct{}),
	}
	s.settle(p.doubted, p.trust.in(p.now()))
	p.wary.Store(p.trust.row > 0 && s.reserve.n > 0)
	close(p.snapshot.Swap(s).superseded)
}

// move puts m onto another shelf, or none. The caller holds mu, and publishes.
func (p *Pool) move(m *Member, to place) {
	doubt := m.warned(failing)
	if m.place != nowhere {
		p.shelves[m.place].remove(m)
	}
	if m.place == ready && doubt {
		p.doubted--
	}
	m.place = to
	if to != nowhere {
		p.shelves[to].add(m)
	}
	if to == ready && doubt {
		p.doubted++
	}
}
