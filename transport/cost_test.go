package transport_test

import (
	"net"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
)

// A cheapClient asks with system calls alone: it allocates nothing, so that every counted
// allocation is the server's.
type cheapClient struct {
	addr    *syscall.SockaddrInet4
	request []byte
	buf     [512]byte
}

func newCheapClient(tb testing.TB, addr, request string) *cheapClient {
	tcp, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		tb.Fatal(err)
	}
	server := &syscall.SockaddrInet4{Port: tcp.Port, Addr: tcp.AddrPort().Addr().As4()}
	return &cheapClient{addr: server, request: []byte(request)}
}

// ask reports whether there was a reply and then the end.
func (c *cheapClient) ask() bool {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return false
	}
	defer syscall.Close(fd)
	if syscall.Connect(fd, c.addr) != nil {
		return false
	}
	if len(c.request) > 0 {
		if _, err := syscall.Write(fd, c.request); err != nil {
			return false
		}
	}
	total := 0
	for {
		n, err := syscall.Read(fd, c.buf[:])
		if err != nil || n == 0 {
			return err == nil && total > 0
		}
		total += n
	}
}

// allocsPerConn counts the server's allocations over n connections.
func allocsPerConn(tb testing.TB, c *cheapClient, n int) float64 {
	for range 100 { // fill the pools
		c.ask()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		if !c.ask() {
			tb.Fatal("want an answer")
		}
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}

func TestAllocationsPerConnection(t *testing.T) {
	const goal = 12
	for _, request := range []string{"", "timestamp"} {
		have := allocsPerConn(t, newCheapClient(t, listenOurs(t), request), 2000)
		t.Logf("request %q: %.1f allocations per connection", request, have)
		if have > goal {
			t.Errorf("request %q: want at most %d allocations, have %.1f", request, goal, have)
		}
	}
}

// BenchmarkLayers asks one server after the other, one request at a time, and reports how much
// longer ours takes than the bare loop: the cost of endpoint, codec, limits and shutdown, less
// the saving of one segment instead of two.
func BenchmarkLayers(b *testing.B) {
	bare := newCheapClient(b, listenPlain(b, answerAndDrain), "timestamp")
	ours := newCheapClient(b, listenOurs(b), "timestamp")
	var bareTimes, ourTimes []float64
	for b.Loop() {
		bareTimes = append(bareTimes, timeOf(b, bare))
		ourTimes = append(ourTimes, timeOf(b, ours))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(bareTimes)/1e3, "bare-µs")
	b.ReportMetric(median(ourTimes)/1e3, "ours-µs")
	b.ReportMetric((median(ourTimes)-median(bareTimes))/1e3, "layers-µs")
	b.ReportMetric(allocsPerConn(b, bare, 1000), "bare-allocs/conn")
	b.ReportMetric(allocsPerConn(b, ours, 1000), "ours-allocs/conn")
}

func timeOf(b *testing.B, c *cheapClient) float64 {
	begin := time.Now()
	if !c.ask() {
		b.Fatal("want an answer")
	}
	return float64(time.Since(begin))
}

// percentile returns the value that p of 100 do not exceed.
func percentile(times []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[(len(sorted)-1)*p/100]
}
