package zk_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zkdev"
	kitsd "github.com/go-kit/kit/sd"
	"github.com/go-kit/log"
)

// A slot is where one process of a simulation runs, at most one at a time: its addresses and its
// way of reaching ZooKeeper stay the same over restarts.
type slot struct {
	name      string
	target    sd.Target
	hosts     int
	children  bool // one-shot watches
	instances []string
	viewers   int
	process   *program // nil while nothing runs
}

// A program is a backend and what works on it: one session, registrars and instancers.
type program struct {
	slot       *slot
	line       *line
	backend    *zk.Backend
	registrars map[string]*sd.Registrar
	viewers    []*spectator
	disciple   *disciple      // nil in a process without viewers, and in calm
	weights    map[string]int // that instances are to have, by instance
	undrained  bool           // go-kit's component is a subscriber of a viewer; a bug sets it
	sessions   int            // that it is to have
	lists      int64          // as of the last check

	// The simulation's lock guards these.
	wanted map[string]bool // by instance
	dead   bool            // killed
}

// A line is the network of one process. Cut for good it is what others see of kill -9: connections
// end, nobody says goodbye, and nobody comes back.
type line struct {
	server *zkdev.Server
	gate   *atomic.Bool // nobody may dial

	mu          sync.Mutex
	down        bool
	conns       []net.Conn // open ones among them
	dials       []time.Time
	reconnected func() // nil, or called for every connection but the first
}

var errLineDown = errors.New("network unreachable")

// dial is the zk.DialFunc of the process.
func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	l.dials = append(l.dials, time.Now())
	down := l.down || l.gate.Load()
	l.mu.Unlock()
	if down {
		return nil, errLineDown
	}
	conn, err := l.server.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		conn.Close()
		return nil, errLineDown
	}
	l.conns = append(l.conns, conn)
	if l.reconnected != nil && len(l.dials) > 1 {
		l.reconnected()
	}
	return conn, nil
}

// cut ends all connections and refuses others, until it is called with false.
func (l *line) cut(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = on
	if on {
		for _, conn := range l.conns {
			conn.Close()
		}
		l.conns = nil
	}
}

// onReconnect sets what is called for every connection but the first.
func (l *line) onReconnect(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reconnected = f
}

func (l *line) isDown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.down
}

// dialTimes returns when the process tried to connect.
func (l *line) dialTimes() []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.dials)
}

// start runs a process in s, with nothing registered.
func (sim *simulation) start(s *slot) {
	p := &program{
		slot:       s,
		sessions:   1,
		line:       &line{server: sim.server, gate: &sim.gate},
		registrars: map[string]*sd.Registrar{},
		wanted:     map[string]bool{},
		weights:    map[string]int{},
	}
	var err error
	if p.backend, err = zk.OpenBackend(s.target, zk.Dial(p.line.dial)); err != nil {
		sim.t.Fatal(err)
	}
	backend := sd.Backend(p.backend)
	if sim.bug != nil {
		backend = sim.bug(sim, p, backend)
	}
	if sim.history != nil {
		backend = sim.history.record(p, backend)
	} else {
		backend = sim.overhear(p, backend)
	}
	for _, instance := range s.instances {
		r, err := sd.NewRegistrar(backend, instance, log.With(sim.logger, "process", s.name))
		if err != nil {
			sim.t.Fatal(err)
		}
		p.registrars[instance] = r
	}
	for range s.viewers {
		p.viewers = append(p.viewers, sim.newSpectator(s.name, backend))
	}
	if s.viewers > 0 && !sim.calm { // what is made for a calm one knows names alone
		var from *spectator
		if p.undrained {
			from = p.viewers[0]
		}
		p.disciple = sim.newDisciple(s.name, backend, from)
	}
	s.process = p
}

// end ends the process in s, and returns when nothing of it is left: withdrawn if it can be, or
// killed.
func (sim *simulation) end(s *slot, kill bool) {
	p := s.process
	s.process = nil
	if kill {
		p.line.cut(true)
		sim.mu.Lock()
		p.dead = true
		sim.mu.Unlock()
	}
	sim.ending.Go(func() {
		for instance := range p.registrars {
			sim.deregister(p, instance)
		}
		if p.disciple != nil {
			p.disciple.stop()
		}
		for _, v := range p.viewers {
			v.stop()
		}
		p.backend.Close()
	})
	if !kill {
		sim.ending.Wait()
	}
}

// session is the one that the process holds now, or 0.
func (p *program) session() int64 { return p.backend.Stats().Session }

// A spectator is a client: an Instancer, followed by differences and, as a go-kit component would,
// over a channel.
type spectator struct {
	*sd.Instancer
	*sdtest.Recorder // of the differences
	views            [2]*view
	events           chan kitsd.Event
	unfollow         func()
	reader           sync.WaitGroup // takes events until the channel is closed
}

// A view is every set that one subscriber was shown.
type view struct {
	name string
	mu   sync.Mutex
	sets []shown

	// Only the check uses these.
	explained int            // how many of sets were explained
	at        map[string]int // for each name, how many of its turns the last one tells of
}

// A shown is one set, and when it was shown.
type shown struct {
	at    time.Time
	names map[string]bool
}

func (sim *simulation) newSpectator(name string, b sd.Backend) *spectator {
	v := &spectator{
		Instancer: sd.NewInstancer(b, log.With(sim.logger, "process", name)),
		Recorder:  sdtest.NewRecorder(),
		views:     [2]*view{{name: name + ", differences"}, {name: name + ", channel"}},
		events:    make(chan kitsd.Event),
	}
	for _, w := range v.views {
		w.at = sim.newest(time.Now())
	}
	v.unfollow = v.Follow(func(c sd.Change) {
		v.Emit(c)
		names, _ := v.Set()
		sim.show(v, v.views[0], names)
	})
	v.reader.Go(func() {
		for e := range v.events {
			sim.show(v, v.views[1], e.Instances)
		}
	})
	v.Register(v.events)
	return v
}

// show notes what a subscriber was shown.
func (sim *simulation) show(v *spectator, w *view, names []string) {
	set := map[string]bool{}
	for _, s := range names {
		set[s] = true
	}
	if v.State().Phase == sd.Unknown {
		sim.fail("%s: %v shown before the first answer", w.name, names)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.sets); n > 0 && maps.Equal(w.sets[n-1].names, set) {
		return // a change that came while the set before it was fetched is told of twice
	}
	w.sets = append(w.sets, shown{time.Now(), set})
}

// last returns the set shown last and how many were shown, which is 0 before the first.
func (w *view) last() (names []string, count int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sets) == 0 {
		return nil, 0
	}
	return slices.Sorted(maps.Keys(w.sets[len(w.sets)-1].names)), len(w.sets)
}

func (v *spectator) stop() {
	v.unfollow()
	v.Deregister(v.events)
	close(v.events)
	v.reader.Wait()
	v.Stop()
}
