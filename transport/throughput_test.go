package transport_test

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/endpoint"
	"example.com/daytime/service"
	"example.com/daytime/transport"
	"example.com/daytime/transport/transporttest"
)

const (
	benchClients  = 64
	benchRounds   = 5
	benchSlices   = 20    // in a round; contestants take turns, so a disturbance meets all of them
	benchRequests = 2_500 // in a slice, so that ours gets half a million in all
)

// A contestant is a server that is asked by one kind of client.
type contestant struct {
	name    string
	addr    string
	request string        // written first
	took    time.Duration // in this round so far
	rates   []float64     // of the rounds, per second
	failed  int64
}

// BenchmarkThroughput compares three servers, each with silent clients and with clients that write
// first. They take turns in short slices; medians of the rounds are reported, for ratios the median
// of each round's ratio. A failure is anything but a whole line and then the end: clients here are
// strict, and do not forgive a reset after the line. It takes about a minute:
//
//	go test -run '^$' -bench Throughput -benchtime 1x -cpuprofile cpu.prof ./transport
//
// The server's own cost is the part outside system calls in
//
//	go tool pprof -top -focus 'transport.\(\*Server\)' cpu.prof
func BenchmarkThroughput(b *testing.B) {
	contestants := []*contestant{}
	for _, server := range []struct{ name, addr string }{
		{"naive", listenPlain(b, answerNaively)},
		{"bare", listenPlain(b, answerAndDrain)},
		{"ours", listenOurs(b)},
	} {
		contestants = append(contestants,
			&contestant{name: server.name + "-silent", addr: server.addr},
			&contestant{name: server.name + "-talking", addr: server.addr, request: "timestamp"})
	}
	for b.Loop() {
		for range benchRounds {
			round(contestants)
		}
	}
	reportThroughput(b, contestants)
}

func reportThroughput(b *testing.B, contestants []*contestant) {
	rates := map[string][]float64{}
	for _, c := range contestants {
		rates[c.name] = c.rates
		total := float64(len(c.rates) * benchSlices * benchRequests)
		b.ReportMetric(median(c.rates), c.name+"/s")
		b.ReportMetric(100*float64(c.failed)/total, c.name+"-failed-%")
		if strings.HasPrefix(c.name, "ours") && c.failed > 0 {
			b.Errorf("want no failure, have %d of %v: %s", c.failed, total, c.name)
		}
	}
	b.ReportMetric(0, "ns/op") // a round's length means nothing
	for _, pair := range [][2]string{
		{"ours-silent", "naive-silent"},
		{"ours-talking", "bare-talking"},
		{"ours-talking", "naive-silent"},
	} {
		var ratios []float64
		for i, rate := range rates[pair[0]] {
			ratios = append(ratios, rate/rates[pair[1]][i])
		}
		b.ReportMetric(median(ratios), pair[0]+":"+pair[1])
	}
}

// round lets the contestants take turns.
func round(contestants []*contestant) {
	for range benchSlices {
		for _, c := range contestants {
			c.slice()
		}
	}
	for _, c := range contestants {
		c.rates = append(c.rates, benchSlices*benchRequests/c.took.Seconds())
		c.took = 0
	}
}

// slice asks benchRequests times, with benchClients clients.
func (c *contestant) slice() {
	var clients sync.WaitGroup
	var asked, failed atomic.Int64
	begin := time.Now()
	for range benchClients {
		clients.Go(func() {
			buf := make([]byte, 512)
			for asked.Add(1) <= benchRequests {
				if !askStrictly(c.addr, c.request, buf) {
					failed.Add(1)
				}
			}
		})
	}
	clients.Wait()
	c.took += time.Since(begin)
	c.failed += failed.Load()
}

// askStrictly reads up to the end and reports whether there was a line and nothing else.
func askStrictly(addr, request string, buf []byte) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); request != "" && err != nil {
		return false
	}
	n := 0
	for {
		m, err := conn.Read(buf[n:])
		n += m
		if err != nil {
			return err == io.EOF && n > 2 && buf[n-1] == '\n'
		}
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// answerNaively closes without reading: the kernel resets a client that has written.
func answerNaively(conn net.Conn, line []byte) {
	conn.Write(line)
	conn.Close()
}

// answerAndDrain is the shortest loop that resets nobody.
func answerAndDrain(conn net.Conn, line []byte) {
	conn.Write(line)
	conn.(*net.TCPConn).CloseWrite()
	conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	var buf [512]byte
	for n := 0; n <= 16<<10; {
		m, err := conn.Read(buf[:])
		if err != nil {
			break
		}
		n += m
	}
	conn.Close()
}

// listenPlain serves with the least code: the time, no endpoint, no limit, no shutdown.
func listenPlain(tb testing.TB, answer func(net.Conn, []byte)) (addr string) {
	return transporttest.Serve(tb, func(conn *net.TCPConn) {
		answer(conn, time.Now().AppendFormat(nil, "2006-01-02 15:04:05.999999 -0700 MST\r\n"))
	})
}

// listenOurs serves the daytime endpoint with the options that a program uses.
func listenOurs(tb testing.TB, options ...transport.ServerOption) (addr string) {
	l, err := transport.Listen(tb.Context(), "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	set := endpoint.New(service.New(l.Addr().String()))
	server := transport.NewDaytimeServer(set, kitlog.NewNopLogger(), options...)
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(l); err != transport.ErrServerClosed {
			tb.Errorf("want %v, have %v", transport.ErrServerClosed, err)
		}
	})
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			tb.Errorf("shutdown: %v", err)
		}
		serving.Wait()
	})
	return l.Addr().String()
}
