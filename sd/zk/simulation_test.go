package zk_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk/zkdev"
	"github.com/go-kit/log"
)

var (
	simSeeds     = flag.Int("sim.seeds", 200, "how many seeds TestSimulation runs")
	simFrom      = flag.Uint64("sim.from", 1, "the first of them")
	simHistories = flag.Int("sim.histories", 40, "how many seeds TestHistoriesAreLinearizable records")
	simSeed      = flag.Uint64("sim.seed", 0, "run this seed alone, -sim.runs times")
	simRuns      = flag.Int("sim.runs", 50, "how often -sim.seed is run: it fixes the schedule, not the interleaving")
)

// TestSimulation puts servers and clients through random schedules of faults and changes, and
// checks after each round of them that everything is as it should be, and was all the time what it
// may be. See sim_check_test.go for what that means.
func TestSimulation(t *testing.T) {
	first, n := *simFrom, uint64(*simSeeds)
	if *simSeed != 0 {
		first, n = *simSeed, uint64(*simRuns)
	}
	for i := range n {
		seed := first + i
		if *simSeed != 0 {
			seed = first
		}
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			if sim := simulate(t, seed, setting{kinds: kinds()}); len(sim.failed) > 0 {
				t.Errorf("%s\nrun it again: go test -race -run 'TestSimulation$' -sim.seed=%d -sim.runs=%d", sim.report(), seed, *simRuns)
			}
		})
	}
}

// A bug is put into a process: it returns the backend that the process is to use in place of b.
type bug func(sim *simulation, p *program, b sd.Backend) sd.Backend

// A setting is what a simulation is made of besides its seed.
type setting struct {
	kinds []kind // of steps
	bug   bug    // nil: none
	calm  bool   // no probes but to wait

	recorded bool // a history is
	blind    bool // operators write a policy whatever its version is: another bug
}

// A simulation is one directory, the processes around it, and what ought to be true of them. Its
// methods are called from one goroutine, where nothing else is said.
type simulation struct {
	t      *testing.T
	random *rand.Rand
	setting
	seed     uint64
	server   *zkdev.Server
	observer *observer
	history  *history // nil: none is recorded
	logger   log.Logger
	began    time.Time
	timeout  time.Duration // of sessions
	slots    []*slot
	gate     atomic.Bool    // no process may dial
	ending   sync.WaitGroup // processes that were killed or stopped
	calls    sync.WaitGroup // Register and Deregister under way

	foreign map[string]zkdev.Stat // names that are not ours, as they were put there; the lock guards changes
	forgot  bool                  // watches were dropped without a word
	armed   map[zkdev.Op]int      // requests that will have been made when the faults armed for them are spent
	limited bool                  // the server is an old one
	denials int                   // how many of these deny access
	slow    time.Duration         // by which the server delays what it sends
	held    time.Time             // until when something may still be held back by that
	settled time.Time             // when everything was checked last

	mu      sync.Mutex // guards what follows
	journal []string
	failed  []string
	absent  map[string]time.Time // names that may not appear after that
	frozen  bool                 // the observer hears nothing
	freezes []span               // and when it did not
	allowed map[string]int       // by name, how often something happened that lets it appear
	wishes  map[string][]wish    // by name, when it was wanted or not
	touched map[string][]time.Time
	told    []departure
}

// simulate runs one seed.
func simulate(t *testing.T, seed uint64, where setting) (sim *simulation) {
	defer func() {
		if r := recover(); r != nil { // a goroutine that is left over, or worse
			t.Logf("%v\n%s", r, sim.report())
			panic(r)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		sim = newSimulation(t, seed, where)
		sim.run()
	})
	return sim
}

func newSimulation(t *testing.T, seed uint64, where setting) *simulation {
	sim := &simulation{
		t:       t,
		random:  rand.New(rand.NewPCG(seed, 0)),
		setting: where,
		seed:    seed,
		server:  zkdev.New(),
		began:   time.Now(),
		settled: time.Now(),
		foreign: map[string]zkdev.Stat{},
		armed:   map[zkdev.Op]int{},
		absent:  map[string]time.Time{},
		allowed: map[string]int{},
		wishes:  map[string][]wish{},
		touched: map[string][]time.Time{},
	}
	sim.logger = log.LoggerFunc(func(pairs ...any) error {
		sim.note("    %s", fmt.Sprintln(pairs...))
		return nil
	})
	sim.timeout = time.Duration(4+2*sim.random.IntN(2)) * time.Second
	sim.observer = &observer{server: sim.server, history: map[string][]turn{}, writes: map[string][]time.Time{}}
	sim.slots = sim.layout()
	if where.recorded {
		sim.history = newHistory(sim)
	}
	return sim
}

// layout is the processes that take part. Every kind of process is there: with one instance or
// several, with clients only or with both, on one host or three, and with either kind of watch.
func (sim *simulation) layout() []*slot {
	slots := []*slot{
		{name: "server A", instances: []string{"192.0.2.1:13"}},
		{name: "server B", instances: []string{"192.0.2.2:13", "192.0.2.2:14"}},
		{name: "server C", instances: []string{"192.0.2.3:13"}, viewers: 1},
		{name: "client D", viewers: 2},
		{name: "client E", viewers: 1},
	}
	for _, s := range slots {
		hosts, mode := "zk1.example.com", "auto"
		s.hosts = 1 + 2*sim.random.IntN(2)
		if s.hosts == 3 {
			hosts += ",zk2.example.com,zk3.example.com"
		}
		if s.children = sim.random.IntN(3) == 0; s.children {
			mode = "children"
		}
		s.target = sdtest.Target(sim.t, fmt.Sprintf("zk://%s?session-timeout=%v&watch=%s", hosts, sim.timeout, mode))
		s.name += fmt.Sprintf(" (%s, %d hosts)", mode, s.hosts)
	}
	return slots
}

func (sim *simulation) run() {
	defer sim.close()
	if err := sim.observer.observe(); err != nil {
		sim.t.Fatal(err)
	}
	if sim.random.IntN(4) > 0 {
		sim.server.Create("/go_servers", nil, 0)
	}
	for _, s := range sim.slots {
		sim.start(s)
	}
	for _, r := range sim.rounds() {
		start := time.Now()
		for _, step := range r.steps {
			time.Sleep(time.Until(start.Add(step.at)))
			sim.note("%s", step.what)
			step.do()
		}
		if sim.settle(r.probe); sim.hasFailed() {
			return
		}
	}
	if s, _ := sim.someServer(); !sim.calm && !sim.pending() {
		sim.probeWithheld(s)
		sim.checkHistory()
		sim.checkDepartures()
	}
}

// close ends everything. What is left then is a leak, and synctest says so.
func (sim *simulation) close() {
	sim.heal()
	for _, s := range sim.slots {
		if s.process != nil {
			sim.end(s, false)
		}
	}
	sim.ending.Wait()
	sim.calls.Wait()
	sim.observer.close()
	sim.server.Close()
}

// note adds a line to the journal. It may be called from any goroutine.
func (sim *simulation) note(format string, args ...any) {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	line := strings.TrimSpace(fmt.Sprintf(format, args...))
	sim.journal = append(sim.journal, fmt.Sprintf("%10.3fs  %s", time.Since(sim.began).Seconds(), line))
}

// fail notes what is wrong. It may be called from any goroutine.
func (sim *simulation) fail(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	sim.note("WRONG: %s", line)
	sim.mu.Lock()
	defer sim.mu.Unlock()
	sim.failed = append(sim.failed, line)
}

func (sim *simulation) hasFailed() bool {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	return len(sim.failed) > 0
}

// report is the journal, for a person.
func (sim *simulation) report() string {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	return fmt.Sprintf("seed %d, session timeout %v, virtual time:\n%s\n%s", sim.seed, sim.timeout,
		strings.Join(sim.journal, "\n"), strings.Join(sim.failed, "\n"))
}
