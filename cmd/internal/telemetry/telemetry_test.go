package telemetry

import (
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	kitlog "github.com/go-kit/log"
	"go.uber.org/goleak"

	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd"
	"example.com/daytime/sd/lb"
	"example.com/daytime/sd/mem"
	"example.com/daytime/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What a program shows to Prometheus.
func Example() {
	exporter := New("example")
	registry := mem.NewRegistry()
	registry.Put("192.0.2.1:8897")
	backend := registry.Open()
	defer backend.Close()
	live := make(chan struct{})
	instancer := sd.NewInstancer(backend, kitlog.NewNopLogger(), exporter.Instancer(""))
	defer instancer.Stop()
	stop := instancer.Follow(func(sd.Change) { close(live) })
	defer stop()
	<-live
	instancer.Stop() // after which all is reported
	for _, line := range scrape(exporter) {
		if strings.HasPrefix(line, "sd_instances") || strings.HasPrefix(line, "sd_state{") {
			fmt.Println(line)
		}
	}
	// Output:
	// sd_instances{registry=""} 1
	// sd_state{phase="live",registry=""} 0
	// sd_state{phase="stale",registry=""} 1
	// sd_state{phase="unknown",registry=""} 0
}

// scrape returns the samples, as /metrics shows them.
func scrape(e *Exporter) (samples []string) {
	answer := httptest.NewRecorder()
	e.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	body, _ := io.ReadAll(answer.Body)
	for line := range strings.Lines(string(body)) {
		if !strings.HasPrefix(line, "#") {
			samples = append(samples, strings.TrimSpace(line))
		}
	}
	return samples
}

// everything asks an Exporter for all that it can be asked for.
func everything(t testing.TB, e *Exporter) {
	t.Helper()
	target := sd.Target{Scheme: "zk", Hosts: []sd.Host{{Name: "127.0.0.1", Port: 1}}}
	backend, err := e.ZK("")(target)
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Close()
	registry := mem.NewRegistry().Open()
	defer registry.Close()
	instancer := sd.NewInstancer(registry, kitlog.NewNopLogger(), e.Instancer(""))
	defer instancer.Stop()
	pool := lb.NewPool(instancer, transport.Factory(e.Client()), kitlog.NewNopLogger(), e.Pool())
	defer pool.Close()
	logger := kitlog.NewNopLogger()
	if _, err := sd.NewRegistrar(registry, "192.0.2.1:1", logger, e.Registrar()); err != nil {
		t.Fatal(err)
	}
	transport.NewServer(nil, nil, nil, e.Server())
}

// Every series is there from the start, with the names and labels that README and the rules use.
func TestAllFromTheStart(t *testing.T) {
	e := New("test")
	everything(t, e)
	var names []string
	for _, sample := range scrape(e) {
		name := strings.Fields(sample)[0]
		if ours(name) {
			names = append(names, name)
		}
	}
	have := strings.Join(names, "\n") + "\n"
	golden := filepath.Join("testdata", "series.txt")
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if have != string(want) {
		t.Errorf("%s: want\n%s\nhave\n%s", golden, want, have)
	}
}

func ours(name string) bool {
	return slices.ContainsFunc([]string{"sd_", "lb_", "rpc_"}, func(prefix string) bool {
		return strings.HasPrefix(name, prefix)
	})
}

// The program, its process and the Go runtime are shown as well.
func TestProcess(t *testing.T) {
	all := strings.Join(scrape(New("test")), "\n")
	for _, want := range []string{
		`build_info{commit="`, `program="test"`, "go_goroutines ", "process_start_time_seconds ",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("want %s, have\n%s", want, all)
		}
	}
}

// What is asked for twice is one series, and two programs in one process do not meet.
func TestAskedForTwice(t *testing.T) {
	e, other := New("test"), New("other")
	everything(t, e)
	everything(t, e)
	everything(t, other)
	e.Backend("").Repaired.Add(2)
	e.Backend("").Repaired.Add(1)
	e.Backend("zk://other").Repaired.Add(1)
	want := []string{
		`sd_repaired_total{registry=""} 3`, `sd_repaired_total{registry="zk://other"} 1`,
	}
	if have := samplesOf(e, "sd_repaired_total"); !slices.Equal(want, have) {
		t.Errorf("want %q, have %q", want, have)
	}
	want = []string{`sd_repaired_total{registry=""} 0`}
	if have := samplesOf(other, "sd_repaired_total"); !slices.Equal(want, have) {
		t.Errorf("the other program: want %q, have %q", want, have)
	}
}

func samplesOf(e *Exporter, name string) (samples []string) {
	for _, sample := range scrape(e) {
		if strings.HasPrefix(sample, name+"{") || strings.HasPrefix(sample, name+" ") {
			samples = append(samples, sample)
		}
	}
	return samples
}

// A program without an Exporter wires it all the same.
func TestNil(t *testing.T) {
	var e *Exporter
	everything(t, e)
	answer := httptest.NewRecorder()
	e.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	if answer.Code != 404 {
		t.Errorf("want 404, have %d", answer.Code)
	}
}

// The instruments are called where requests are served: they allocate nothing.
func TestInstrumentsDoNotAllocate(t *testing.T) {
	e := New("test")
	gauge := e.gauge("g", "", "phase").With("phase", "live")
	counter := e.counter("c_total", "", "outcome").With("outcome", "answered")
	histogram := e.histogram("h_seconds", "")
	allocs := testing.AllocsPerRun(1000, func() {
		gauge.Set(1)
		gauge.Add(1)
		counter.Add(1)
		histogram.Observe(.02)
	})
	if allocs != 0 {
		t.Errorf("want no allocation, have %v", allocs)
	}
}

// The set of an Instancer is shown as it is now.
func TestShowsTheSet(t *testing.T) {
	e := New("test")
	registry := mem.NewRegistry()
	backend := registry.Open()
	defer backend.Close()
	instancer := sd.NewInstancer(backend, kitlog.NewNopLogger(), e.Instancer(""))
	defer instancer.Stop()
	shows := func(want ...string) {
		t.Helper()
		shelltest.Eventually(t, func() error {
			have := scrape(e)
			for _, sample := range want {
				if !slices.Contains(have, sample) {
					return fmt.Errorf("want %s, have %q", sample, have)
				}
			}
			return nil
		})
	}
	registry.Put("192.0.2.1:8897")
	registry.Put("192.0.2.2:8897")
	shows(`sd_instances{registry=""} 2`, `sd_state{phase="live",registry=""} 1`)
	registry.Expire("192.0.2.1:8897")
	registry.Expire("192.0.2.2:8897")
	shows(`sd_instances{registry=""} 0`, `sd_set_hash{registry=""} 0`)
}
