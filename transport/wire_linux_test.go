package transport_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/daytime/transport/transporttest"
)

const (
	wireClients  = 16
	wireRounds   = 5
	wireRequests = 20_000 // in a round, of each: half a second of CPU
)

// A wireServer is a process that answers, asked by one kind of client.
type wireServer struct {
	name    string
	addr    string
	pids    []int
	request string    // written first
	costs   []float64 // CPU per reply in µs, of each round
	failed  int64
}

// BenchmarkWire compares the CPU per reply of three servers, each a process of its own: nginx, the
// plainest Go server, and ours, each with silent clients and with clients that write first. Clients
// are strict: a reset after the line is a failure. Medians of the rounds are reported, for ratios
// the median of each round's ratio. It takes about a minute:
//
//	go test -run '^$' -bench Wire -benchtime 1x ./transport
func BenchmarkWire(b *testing.B) {
	var servers []*wireServer
	for _, start := range []func(testing.TB) *wireServer{startNginx, startNaive, startOurs} {
		silent := start(b)
		talking := *silent
		silent.name += "-silent"
		talking.name, talking.request = talking.name+"-talking", "timestamp"
		servers = append(servers, silent, &talking)
	}
	for b.Loop() {
		for range wireRounds {
			for _, s := range servers {
				s.round(b)
			}
		}
	}
	reportWire(b, servers)
}

func reportWire(b *testing.B, servers []*wireServer) {
	costs := map[string][]float64{}
	for _, s := range servers {
		costs[s.name] = s.costs
		b.ReportMetric(median(s.costs), s.name+"-µs")
		b.ReportMetric(100*float64(s.failed)/float64(len(s.costs)*wireRequests), s.name+"-failed-%")
		if strings.HasPrefix(s.name, "ours") && s.failed > 0 {
			b.Errorf("want no failure, have %d: %s", s.failed, s.name)
		}
	}
	b.ReportMetric(0, "ns/op") // a round's length means nothing
	for _, pair := range [][2]string{
		{"ours-silent", "nginx-silent"},
		{"ours-talking", "nginx-silent"},
		{"ours-silent", "naive-silent"},
	} {
		var ratios []float64
		for i, cost := range costs[pair[0]] {
			ratios = append(ratios, cost/costs[pair[1]][i])
		}
		b.ReportMetric(median(ratios), pair[0]+":"+pair[1])
	}
}

// round asks wireRequests times, with wireClients clients.
func (s *wireServer) round(tb testing.TB) {
	before := s.cpu(tb)
	var clients sync.WaitGroup
	var asked, failed atomic.Int64
	for range wireClients {
		client := newCheapClient(tb, s.addr, s.request)
		clients.Go(func() {
			for asked.Add(1) <= wireRequests {
				if !client.ask() {
					failed.Add(1)
				}
			}
		})
	}
	clients.Wait()
	used := s.cpu(tb) - before
	s.costs = append(s.costs, float64(used.Microseconds())/wireRequests)
	s.failed += failed.Load()
}

// cpu is the time that the processes of s have used.
func (s *wireServer) cpu(tb testing.TB) (total time.Duration) {
	for _, pid := range s.pids {
		total += cpuTime(tb, pid)
	}
	return total
}

func startOurs(tb testing.TB) *wireServer {
	pid, addr, _ := startChild(tb, childOurs)
	return &wireServer{name: "ours", addr: addr, pids: []int{pid}}
}

func startNaive(tb testing.TB) *wireServer {
	pid, addr, _ := startChild(tb, childNaive)
	return &wireServer{name: "naive", addr: addr, pids: []int{pid}}
}

// startNginx serves the time with nginx's stream module, in one process, as the others.
func startNginx(tb testing.TB) *wireServer {
	tb.Helper()
	nginx := transporttest.Program(tb, "nginx", "nginx-light libnginx-mod-stream")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	l.Close() // nginx has no port 0
	addr := l.Addr().String()
	dir := tb.TempDir()
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`
daemon off;
master_process off;
pid %[1]s/pid;
error_log %[1]s/error.log;
include /etc/nginx/modules-enabled/*-mod-stream.conf;
events { worker_connections 4096; multi_accept on; }
stream {
	server {
		listen %[2]s backlog=4096;
		return "$server_addr:$server_port: $time_iso8601\r\n";
	}
}
`, dir, addr)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(nginx, "-c", config, "-e", filepath.Join(dir, "error.log"))
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	within(tb, "nginx to listen", func() bool { have, _ := ask(addr, ""); return have != "" })
	return &wireServer{name: "nginx", addr: addr, pids: []int{cmd.Process.Pid}}
}
