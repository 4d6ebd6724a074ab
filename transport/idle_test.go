package transport_test

import (
	"context"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/transport"
)

const (
	idleConns   = 5000
	trickleGap  = time.Second // between two bytes on one connection
	idleGoal    = 8 << 10     // bytes of memory per idle connection
	askedEach   = 3000
	idleAskers  = 4
	quietFactor = 2 // how much longer the p99 may be than that of a quiet server
)

// idle holds connections that never hang up, without memory of Go's: file descriptors alone.
type idle struct {
	fds []int
}

func newIdle(tb testing.TB, addr string, n int) *idle {
	tb.Helper()
	server := newCheapClient(tb, addr, "").addr
	c := &idle{}
	tb.Cleanup(c.close)
	for range n {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		if err != nil {
			tb.Fatal(err)
		}
		c.fds = append(c.fds, fd)
		if err := syscall.Connect(fd, server); err != nil {
			tb.Fatal(err)
		}
	}
	return c
}

func (c *idle) close() {
	for _, fd := range c.fds {
		syscall.Close(fd)
	}
	c.fds = nil
}

// trickle sends a byte on every other connection, spread over trickleGap, again and again until ctx
// is done.
func (c *idle) trickle(ctx context.Context) {
	const batch = 25
	ticker := time.NewTicker(trickleGap / time.Duration(len(c.fds)/2/batch))
	defer ticker.Stop()
	for i := 0; ; i = (i + 2) % len(c.fds) {
		if i/2%batch == 0 {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
		syscall.Write(c.fds[i], []byte("x"))
	}
}

// inUse is the size of Go's heap and stacks.
func inUse() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc + stats.StackInuse)
}

// askAround asks askedEach times, with idleAskers clients at a time, and returns the p99.
func askAround(t testing.TB, addr string) time.Duration {
	t.Helper()
	var mu sync.Mutex
	var times []time.Duration
	var askers sync.WaitGroup
	for range idleAskers {
		client := newCheapClient(t, addr, "timestamp")
		askers.Go(func() {
			for range askedEach / idleAskers {
				begin := time.Now()
				if !client.ask() {
					t.Error("want an answer beside the idle ones")
					return
				}
				took := time.Since(begin)
				mu.Lock()
				times = append(times, took)
				mu.Unlock()
			}
		})
	}
	askers.Wait()
	return percentile(times, 99)
}

// needDescriptors skips a test for which this process may not open n files.
func needDescriptors(t *testing.T, n uint64) {
	t.Helper()
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	if err != nil || uint64(limit.Cur) < n {
		t.Skipf("want %d file descriptors, have %d, %v; ulimit -n", n, limit.Cur, err)
	}
}

// Thousands of idle connections cost little memory.
func TestMemoryOfIdleConnections(t *testing.T) {
	needDescriptors(t, 2*idleConns+100)
	addr := listenOurs(t, transport.Linger(time.Hour))
	askAround(t, addr) // fill the pools
	before := inUse()
	held := newIdle(t, addr, idleConns)
	wantMemory(t, before)
	held.close()
}

// Beside thousands of idle connections an answer takes as long as without them. The two servers are
// asked in turn, so that a disturbance of the machine meets both, and hardly every round.
func TestAnswersBesideIdleConnections(t *testing.T) {
	const minRounds, maxRounds = 3, 10
	needDescriptors(t, idleConns+100)
	_, quietAddr, _ := startChild(t, childOurs)
	_, busyAddr, _ := startChild(t, childIdle)
	held := newIdle(t, busyAddr, idleConns)
	ctx, cancel := context.WithCancel(t.Context())
	var trickling sync.WaitGroup
	trickling.Go(func() { held.trickle(ctx) })
	defer trickling.Wait()
	defer cancel()
	quiet, busy := bound, bound
	for round := 1; round <= maxRounds; round++ {
		quiet = min(quiet, askAround(t, quietAddr))
		busy = min(busy, askAround(t, busyAddr))
		if round >= minRounds && busy <= quietFactor*quiet {
			break
		}
	}
	t.Logf("p99: quiet %v, beside %d idle ones %v", quiet, idleConns, busy)
	if busy > quietFactor*quiet {
		t.Errorf("want a p99 of at most %d × %v, have %v", quietFactor, quiet, busy)
	}
}

// wantMemory waits until every idle connection is being drained, and weighs them.
func wantMemory(t testing.TB, before int64) {
	t.Helper()
	accepted := func() bool { return runtime.NumGoroutine() > idleConns }
	within(t, "the idle ones to be accepted", accepted)
	each := (inUse() - before) / idleConns
	t.Logf("%d bytes per idle connection", each)
	if each > idleGoal && !raceEnabled {
		t.Errorf("want at most %d bytes per idle connection, have %d", idleGoal, each)
	}
}
