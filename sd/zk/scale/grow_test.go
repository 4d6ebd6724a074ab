package scale

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk/zktest"
	gozk "github.com/go-zookeeper/zk"
)

var (
	growInstances = flag.Int("grow.instances", 500, "instances of the fleet that grows")
	growClients   = flag.Int("grow.clients", 20, "clients, a session and an Instancer each")
	growRestarts  = flag.Int("grow.restarts", 50, "instances restarted one after the other")
	growExpire    = flag.Int("grow.expire", 50,
		"sessions that expire at once; then twice as many, until it breaks")
	growMost    = flag.Int("grow.expire-most", 100, "the most that expire at once")
	growTimeout = flag.Duration("grow.timeout", 2*time.Second, "session timeout of all")
	growBound   = flag.Duration("grow.bound", time.Minute,
		"by when all must know the truth, however many sessions expired")
)

const (
	// maxLag is how far behind the truth a client may be while instances are restarted.
	maxLag = time.Second
	// downTime is how long a restarted instance is away.
	downTime = 300 * time.Millisecond
	// eventsPerRestart are the claim, the delete and the create.
	eventsPerRestart = 3
)

// TestGrow grows a fleet on an ensemble of three, and logs what it costs. In its small form it
// wants what does not depend on the machine: everybody knows the truth after each act, a change
// costs no list, and no more bytes than its events. The flags make it large.
func TestGrow(t *testing.T) {
	g := newGrowth(t)
	g.restart()
	g.steer()
	g.loseServer()
	g.expire()
}

// A growth is a fleet with its clients. Its test drives it.
type growth struct {
	*testing.T
	*assembly
	ensemble *zktest.Ensemble
	conns    []*gozk.Conn // registrants
	path     string
}

func newGrowth(t *testing.T) *growth {
	if *growInstances > 10_000 {
		t.Setenv("_JAVA_OPTIONS", "-Xmx3g")
	}
	g := &growth{T: t, path: "/servers", assembly: &assembly{ledger: newLedger()}}
	g.ensemble = zktest.StartEnsemble(t, 3,
		zktest.Config("snapCount=100000000", "globalOutstandingLimit=10000"))
	for _, addr := range g.ensemble.Addrs() {
		g.conns = append(g.conns, connect(t, addr))
	}
	g.fill()
	g.memory("with the instances")
	target := fmt.Sprintf("zk://%s%s?session-timeout=%v", strings.Join(g.ensemble.Addrs(), ","),
		g.path, *growTimeout)
	began, used := time.Now(), processorTime(t)
	g.assembly = openAssembly(t, g.ledger, sdtest.Target(t, target), *growClients)
	_, bytes := g.reckon()
	g.Logf("%d clients of %d instances: %.1f s, %d bytes, %.1f ms of processor and %d KB of heap each",
		*growClients, *growInstances, time.Since(began).Seconds(), bytes/int64(*growClients),
		millis(processorTime(t)-used)/float64(*growClients), int(heap())>>10 / *growClients)
	g.memory("with the clients")
	return g
}

// fill makes the directory with all instances.
func (g *growth) fill() {
	g.Helper()
	if _, err := g.conns[0].Create(g.path, nil, 0, gozk.WorldACL(gozk.PermAll)); err != nil {
		g.Fatal(err)
	}
	for ks := range slices.Chunk(count(*growInstances), perMulti) {
		if _, err := g.conns[0].Multi(creates(g.path, ks)...); err != nil {
			g.Fatal(err)
		}
		for _, k := range ks {
			g.ledger.change(true, instance(k))
		}
	}
}

// memory logs what the servers have.
func (g *growth) memory(when string) {
	var all []string
	for _, s := range g.ensemble.Servers() {
		if pid := s.PID(); pid != 0 {
			all = append(all, fmt.Sprintf("%d MB", resident(pid)>>20))
		}
	}
	g.Logf("ZooKeeper %s: %s", when, strings.Join(all, ", "))
}

// resident is the memory of a process (proc(5)).
func resident(pid int) int64 {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm") // elsewhere it is not told
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// restart finds the highest rate of restarts at which no client is more than a second behind.
func (g *growth) restart() {
	g.Helper()
	lists, best := g.lists(), 0.
	for rate := 5.; ; rate *= 2 {
		n := min(*growRestarts, max(5, int(10*rate)))
		used := processorTime(g)
		took := g.restartAt(rate, n)
		g.settle(g, *growBound)
		worst, bytes := g.reckon()
		changes := float64(eventsPerRestart * n * *growClients)
		each := float64(bytes) / changes
		g.Logf("%d restarts at %.1f a second (%.1f asked for): worst lag %v, %.0f events/s, "+
			"%.1f bytes and %.1f µs of processor a client and event",
			n, float64(n)/took.Seconds(), rate, short(worst), changes/took.Seconds(),
			each, micros(processorTime(g)-used)/changes)
		if each > 120 { // pings and audits included
			g.Errorf("want at most 120 bytes a client and event, have %.1f", each)
		}
		kept := float64(n)/took.Seconds() > 0.8*rate
		if worst > maxLag || !kept {
			break
		}
		if best = rate; n == *growRestarts && 10*rate > float64(4*n) {
			break // too few to tell
		}
	}
	g.Logf("knee: %.0f restarts a second keep every client within %v; %.0f events/s of three servers",
		best, maxLag, best*eventsPerRestart*float64(*growClients))
	if best > 0 {
		took := g.restartAt(best, *growRestarts)
		g.settle(g, *growBound)
		worst, _ := g.reckon()
		g.Logf("%d restarts, one after the other, at %.1f a second: worst lag %v",
			*growRestarts, float64(*growRestarts)/took.Seconds(), short(worst))
	}
	if more := g.lists() - lists; more > int64(*growClients) {
		g.Errorf("want no list for a change, have %d", more)
	}
}

// restartAt restarts instances at a rate, and returns how long that took.
func (g *growth) restartAt(rate float64, n int) time.Duration {
	g.Helper()
	began := time.Now()
	failures := make([]error, n)
	var restarting sync.WaitGroup
	for k := range n {
		time.Sleep(time.Until(began.Add(time.Duration(float64(k) / rate * float64(time.Second)))))
		restarting.Go(func() { failures[k] = g.restartOne(k) })
	}
	restarting.Wait()
	if err := errors.Join(failures...); err != nil {
		g.Fatal(err)
	}
	return time.Since(began) - downTime
}

// restartOne has an instance withdraw, and register again.
func (g *growth) restartOne(k int) error {
	conn, node := g.conns[k%len(g.conns)], g.path+"/"+instance(k)
	g.ledger.change(false, instance(k)) // first, since an event may come before the answer
	_, err := conn.Set(node, []byte("leaving"), -1)
	if err == nil {
		err = conn.Delete(node, -1)
	}
	if err != nil {
		return err
	}
	time.Sleep(downTime)
	g.ledger.change(true, instance(k))
	_, err = conn.Create(node, nil, 0, gozk.WorldACL(gozk.PermAll))
	return err
}

// steer changes the policy once a second.
func (g *growth) steer() {
	g.Helper()
	const changes = 10
	worst, used := time.Duration(0), processorTime(g)
	for n := range changes {
		began := time.Now()
		document := fmt.Sprintf("%s\ndrain %s\n", policy.Header, instance(n))
		stat, err := g.conns[0].Set(g.path, []byte(document), -1)
		if err != nil {
			g.Fatal(err)
		}
		sdtest.Eventually(g, *growBound, func() error { return g.follows(int64(stat.Version)) })
		worst = max(worst, time.Since(began))
		time.Sleep(time.Until(began.Add(time.Second)))
	}
	_, bytes := g.reckon()
	each := float64(changes * *growClients)
	g.Logf("policy once a second: all follow it after %v at most; %.0f bytes and %.1f µs of "+
		"processor a client and change, of which a tenth follow it",
		short(worst), float64(bytes)/each, micros(processorTime(g)-used)/each)
}

// loseServer has a ZooKeeper die, and its clients find another.
func (g *growth) loseServer() {
	g.Helper()
	lists, used := g.lists(), processorTime(g)
	lost, began := g.ensemble.Followers(g)[0], time.Now()
	lost.Kill(g)
	time.Sleep(100 * time.Millisecond) // until its clients have noticed
	g.settle(g, *growBound)
	took := time.Since(began)
	_, bytes := g.reckon()
	moved := g.lists() - lists
	g.Logf("a ZooKeeper lost: %d clients listed again, all knew the truth after %v; "+
		"%.1f MB, %.1f s of processor",
		moved, short(took), float64(bytes)/1e6, (processorTime(g) - used).Seconds())
	lost.Launch(g)
	lost.Await(g)
	if moved > int64(*growClients) {
		g.Errorf("want at most one list for each client, have %d", moved)
	}
}
