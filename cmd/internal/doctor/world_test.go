package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"
	"go.uber.org/goleak"

	"example.com/daytime/cmd/internal/doctor/host"
	"example.com/daytime/cmd/internal/doctor/report"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/endpoint"
	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/service"
	"example.com/daytime/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// timeout is the operator's bound of a question.
const timeout = time.Second

// A world is a registry with servers in it, and what was planted there.
type world struct {
	testing.TB
	registry *zkdev.Server
	target   string // for the doctor
	fleet    []string
	wants    []want
}

// A want is a finding that is to be there.
type want struct {
	severity             report.Severity
	check, subject, text string // parts of it
}

// newWorld runs a registry with n healthy servers in it.
func newWorld(t testing.TB, n int) *world {
	registry, target := shelltest.StartRegistry(t, true)
	w := &world{TB: t, registry: registry, target: target}
	w.fleet = enroll(t, target, n)
	return w
}

// enroll keeps n servers registered at a target, each over a session of its own.
func enroll(t testing.TB, target string, n int) (addrs []string) {
	t.Helper()
	var all sync.WaitGroup
	for range n {
		addr := shelltest.Serve(t)
		addrs = append(addrs, addr)
		registrar := newRegistrar(t, target, addr)
		all.Go(func() {
			registrar.Register()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := registrar.Await(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	return addrs
}

func newRegistrar(t testing.TB, target, addr string) *sd.Registrar {
	t.Helper()
	backend, err := zk.Open(parse(t, target))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { backend.Close() })
	registrar, err := sd.NewRegistrar(backend, addr, kitlog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registrar.Deregister)
	return registrar
}

func parse(t testing.TB, target string) sd.Target {
	t.Helper()
	parsed, err := sd.ParseTarget(target)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// examine is what the doctor says of a target.
func examine(t testing.TB, target string) report.Report {
	t.Helper()
	return examineIn(t, timeout, target)
}

// examineIn is examine with another bound of each question.
func examineIn(t testing.TB, timeout time.Duration, target string) report.Report {
	t.Helper()
	parsed := parse(t, target)
	schemes := sd.Schemes{"zk": zk.Open, "fixed": sd.OpenFixed}
	backend, err := schemes.Open(target)
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Close()
	return Examine(t.Context(), Config{parsed, backend, timeout,
		[]transport.ClientOption{transport.ClientTimeout(timeout)}})
}

// has reports whether a finding is there.
func has(r report.Report, w want) bool {
	return slices.ContainsFunc(r.Findings, func(f report.Finding) bool {
		return f.Severity == w.severity && f.Check == w.check && strings.Contains(f.Subject,
			w.subject) &&
			strings.Contains(f.Problem, w.text) && f.Advice != ""
	})
}

// expect notes a finding that is to be there.
func (w *world) expect(s report.Severity, check, subject, text string) {
	w.wants = append(w.wants, want{s, check, subject, text})
}

func (w *world) error(check, subject, text string) { w.expect(report.Error, check, subject, text) }
func (w *world) warn(check, subject, text string) {
	w.expect(report.Warning, check, subject,
		text)
}

// strange is the session of those who register without a backend of ours.
const strange = 0x7777

// enter registers a name with data of its own, as another program would: ephemeral.
func (w *world) enter(name, data string) {
	w.Helper()
	if err := w.registry.Create("/go_servers/"+name, []byte(data), strange); err != nil {
		w.Fatal(err)
	}
}

// document is what a server of a host says of itself.
func document(name, boot string, process int) string {
	at := netip.MustParseAddrPort(name)
	host, port := at.Addr().String(), int(at.Port())
	text, _ := json.Marshal(map[string]any{"host": host, "port": port, "id": name,
		"name":    "go_servers",
		"address": host, "serviceType": "DYNAMIC", "registrationTimeUTC": time.Now().UnixMilli(),
		"serviceEndpoint": map[string]any{"host": host, "port": port},
		"boot":            boot, "process": process, "start": time.Now().UTC().Format(time.RFC3339)})
	return string(text)
}

// member enters a name as a server of this host does that speaks with another program's voice.
func (w *world) member(name string) string {
	w.enter(name, document(name, w.boot(), os.Getpid()))
	return name
}

func (*world) boot() string { return host.This().Boot }

// serve runs a server of ours that is registered under another name, or whose clock is wrong.
func serve(t testing.TB, l net.Listener, name string, options ...service.Option) {
	server := transport.NewDaytimeServer(endpoint.New(service.New(name, options...)),
		kitlog.NewNopLogger())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Shutdown(context.Background())
		<-ended
	})
}

// steer replaces the policy by lines.
func (w *world) steer(lines ...string) {
	w.Helper()
	w.write(policy.Header + "\n" + strings.Join(lines, "\n") + "\n")
}

// write writes what stands in the place of the policy.
func (w *world) write(text string) {
	w.Helper()
	backend, err := zk.OpenBackend(parse(w, w.target))
	if err != nil {
		w.Fatal(err)
	}
	defer backend.Close()
	_, version, err := backend.ReadPolicy(w.Context())
	if err == nil {
		err = backend.WritePolicy(w.Context(), text, version)
	}
	if err != nil {
		w.Fatal(err)
	}
}

// problems are the findings that are errors or warnings, a line each.
func problems(r report.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		if f.Severity == report.Error || f.Severity == report.Warning {
			fmt.Fprintf(&b, "%s %s: %s: %s -> %s\n", f.Severity, f.Check, f.Subject, f.Problem,
				f.Advice)
		}
	}
	return b.String()
}
