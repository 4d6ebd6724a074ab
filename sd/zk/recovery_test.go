package zk_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zktest"
	"github.com/go-kit/log"
)

// How soon a server is registered again after an outage.
const (
	maxMedian = 300 * time.Millisecond
	maxWorst  = 600 * time.Millisecond
	// maxDialsASecond is what a client may dial in an outage, after a first round at once.
	maxDialsASecond = 2
)

// An outage makes ZooKeeper unable to serve, for about d, and returns what ends it.
type outage func(w *world, down *atomic.Bool, d time.Duration) (end func())

func outages() map[string]outage {
	return map[string]outage{
		"frozen": func(w *world, _ *atomic.Bool, d time.Duration) func() {
			w.Freeze()
			time.Sleep(d)
			return w.Thaw
		},
		"stopped": func(w *world, down *atomic.Bool, d time.Duration) func() {
			down.Store(true)
			w.Disconnect()
			time.Sleep(d)
			return func() { down.Store(false) }
		},
		"not serving": func(w *world, _ *atomic.Bool, d time.Duration) func() {
			w.Refuse(true)
			w.Disconnect()
			time.Sleep(d)
			return func() { w.Refuse(false) }
		},
		"registrant frozen": func(w *world, _ *atomic.Bool, d time.Duration) func() { return func() { w.Expire() } },
	}
}

// After an outage of three session timeouts and more, in which every session has expired, a server
// is registered again at once, and dials during the outage were few. One sample in which it is
// missing would show.
func TestBackAtOnce(t *testing.T) {
	const timeout = 2 * time.Second
	for sample, names := range map[string][]string{
		"away":   {"stopped", "not serving"},
		"frozen": {"frozen", "registrant frozen"},
	} {
		runs := 60 // of each; many more bubbles than these in all are too many for the race detector
		if sample == "frozen" {
			runs = 15
		}
		var took []time.Duration
		for _, hosts := range []string{"a.example.com", "a.example.com,b.example.com,c.example.com"} {
			for _, name := range names {
				for range runs {
					inWorld(t, "zk://"+hosts+"?session-timeout="+timeout.String(), func(w *world) {
						took = append(took, w.backAfter(outages()[name], 3*timeout+rand.N(3*timeout), hosts))
					})
				}
			}
		}
		slices.Sort(took)
		median, worst := took[len(took)/2], took[len(took)-1]
		t.Logf("%s: median %v, worst %v of %d", sample, median, worst, len(took))
		if median > maxMedian || worst > maxWorst {
			t.Errorf("%s: want a median of %v and at worst %v, have %v and %v",
				sample, maxMedian, maxWorst, median, worst)
		}
	}
}

// backAfter returns how long after the end of an outage alice is registered again.
func (w *world) backAfter(begin outage, d time.Duration, hosts string) time.Duration {
	var down atomic.Bool
	b, err := zk.OpenBackend(w.target, zk.Dial(func(ctx context.Context, network, address string) (net.Conn, error) {
		if down.Load() {
			return nil, errors.New("connection refused")
		}
		return w.Dial(ctx, network, address)
	}))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { b.Close() })
	w.register(b, alice)
	time.Sleep(3*time.Second + rand.N(2*time.Second))
	before, start := b.Stats().Dials, time.Now()
	end := begin(w, &down, d)
	synctest.Wait()
	targets := float64(strings.Count(hosts, ",") + 1)
	dials, most := b.Stats().Dials-before, targets+1.1+maxDialsASecond*time.Since(start).Seconds()
	if float64(dials) > most {
		w.t.Errorf("dials in %v: want %.1f at most, have %d", time.Since(start), most, dials)
	}
	end()
	for start = time.Now(); time.Since(start) < time.Minute; time.Sleep(time.Millisecond) {
		synctest.Wait()
		_, stat, err := w.Get("/go_servers/" + alice)
		if s := b.Stats(); err == nil && s.Session != 0 && stat.EphemeralOwner == s.Session {
			break
		}
	}
	return time.Since(start)
}

// Three things end the registrations of twenty registrants at once on a real server: for three
// session timeouts it is frozen, it is down, or they are frozen themselves.
const (
	cutTimeout = 2 * time.Second // of the sessions
	cutClients = 20
)

func cuts() map[string]func(tb testing.TB, server *zktest.Server, registrants *os.Process) {
	return map[string]func(testing.TB, *zktest.Server, *os.Process){
		"frozen": func(tb testing.TB, server *zktest.Server, _ *os.Process) {
			server.Freeze(tb)
			time.Sleep(3 * cutTimeout)
			server.Thaw(tb)
		},
		"restarted": func(tb testing.TB, server *zktest.Server, _ *os.Process) {
			server.Kill(tb)
			time.Sleep(3 * cutTimeout)
			server.Launch(tb)
			server.Await(tb)
		},
		"registrants frozen": func(_ testing.TB, _ *zktest.Server, registrants *os.Process) {
			registrants.Signal(syscall.SIGSTOP)
			time.Sleep(3 * cutTimeout)
			registrants.Signal(syscall.SIGCONT)
		},
	}
}

// backOnZooKeeper cuts, and returns how long it takes each registrant after that.
func backOnZooKeeper(tb testing.TB, cut func(testing.TB, *zktest.Server, *os.Process)) []time.Duration {
	tb.Helper()
	server := zktest.Start(tb, zktest.Config("clientPortListenBacklog=1000")) // no SYN is dropped while it is frozen
	target := fmt.Sprintf("zk://%s?session-timeout=%v", server.Addr(), cutTimeout)
	process := startRegistrants(tb, target, cutClients)
	awaitRegistered(tb, server, cutClients)
	time.Sleep(cutTimeout)
	cut(tb, server, process)
	return awaitRegistered(tb, server, cutClients)
}

// All twenty are back. How soon is in virtual time above, and in the benchmark below.
func TestBackOnZooKeeper(t *testing.T) {
	for name, cut := range cuts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			took := backOnZooKeeper(t, cut)
			t.Logf("median %v, worst %v of %d", took[cutClients/2], took[cutClients-1], cutClients)
		})
	}
}

// BenchmarkBack is the time from the end of a cut until each of twenty is registered again.
func BenchmarkBack(b *testing.B) {
	for name, cut := range cuts() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				took := backOnZooKeeper(b, cut)
				b.ReportMetric(took[cutClients/2].Seconds(), "s-median")
				b.ReportMetric(took[cutClients-1].Seconds(), "s-worst")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// awaitRegistered returns how long it takes each of the registrants to be registered by a session
// that is connected, the shortest first.
func awaitRegistered(t testing.TB, server *zktest.Server, clients int) (took []time.Duration) {
	t.Helper()
	start := time.Now()
	for back := map[string]bool{}; len(back) < clients; time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > 30*time.Second {
			t.Fatalf("after 30s: want %d registered, have %d", clients, len(back))
		}
		connected := server.FourLetter(t, "cons")
		for session, nodes := range server.Ephemerals(t) {
			for _, node := range nodes {
				if !back[node] && strings.Contains(connected, fmt.Sprintf("sid=0x%x,", session)) {
					back[node] = true
					took = append(took, time.Since(start))
				}
			}
		}
	}
	return took
}

// registrantsOf names the target and the number of what this program registers, in place of tests.
const registrantsOf = "TEST_REGISTRANTS_OF"

// startRegistrants starts a process with that many registrants, each with a session of its own.
func startRegistrants(t testing.TB, target string, n int) *os.Process {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestRegistrants$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", registrantsOf, n, target))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd.Process
}

// TestRegistrants is the process of startRegistrants, and else no test.
func TestRegistrants(t *testing.T) {
	var n int
	var target string
	if _, err := fmt.Sscan(os.Getenv(registrantsOf), &n, &target); err != nil {
		return
	}
	for i := range n {
		b, err := zk.Open(sdtest.Target(t, target))
		if err != nil {
			t.Fatal(err)
		}
		r, err := sd.NewRegistrar(b, fmt.Sprintf("192.0.2.1:%d", 1000+i), log.NewNopLogger())
		if err != nil {
			t.Fatal(err)
		}
		r.Register()
	}
	select {} // until the parent kills this process
}
