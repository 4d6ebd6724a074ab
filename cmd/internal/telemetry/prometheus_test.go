package telemetry

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/sd/zk/zktest"
	"example.com/daytime/transport/transporttest"
)

// Each rule fires when it is to, and not before.
func TestRules(t *testing.T) {
	promtool := transporttest.Program(t, "promtool", "prometheus")
	command := exec.Command(promtool, "test", "rules", "testdata/rules_test.yml")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// A rule over a metric that is not shown would never fire.
func TestRulesAreOverWhatIsShown(t *testing.T) {
	rules, err := os.ReadFile("rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	e := New("test")
	everything(t, e)
	shown := map[string]bool{}
	for _, sample := range scrape(e) {
		name, _, _ := strings.Cut(strings.Fields(sample)[0], "{")
		shown[name] = true
	}
	metric := regexp.MustCompile(`\b(sd|lb|rpc)_[a-z_]+`)
	for _, name := range metric.FindAllString(string(rules), -1) {
		if !shown[name] {
			t.Errorf("want a metric that is shown, have %s", name)
		}
	}
}

// Fifty clients watch a directory. The watch of one is cut, and nobody has noticed: it is live by
// its own account, and its list is wrong. The rule of README finds it, and no other, in a minute.
func TestPrometheusFindsTheBlindClient(t *testing.T) {
	program := transporttest.Program(t, "prometheus", "prometheus")
	const clients = 50
	server, err := zkdev.Start("127.0.0.1:0", zkdev.TickTime(15*time.Second)) // grants 5 minutes
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	shelltest.Enter(t, server, "192.0.2.1:8897", "192.0.2.2:8897", "192.0.2.3:8897")
	proxy := zktest.NewProxy(t, server.Addr().String())
	var targets []string
	for n := range clients {
		at := server.Addr().String()
		if n == clients/2 {
			at = proxy.Addr()
		}
		targets = append(targets, startClient(t, at))
	}
	blind := targets[clients/2]
	p := startPrometheus(t, program, targets)
	p.eventually(t, time.Minute, fmt.Sprintf("%d clients, one hash", clients), func() error {
		want := []string{"1", fmt.Sprint(clients)}
		return sameStrings(want, p.query(`count(count_values("hash", sd_set_hash))`,
			`count(sd_set_hash > 0)`))
	})

	proxy.Stall(zktest.ToClient)
	begin := time.Now()
	shelltest.Enter(t, server, "192.0.2.4:8897")
	p.eventually(t, time.Minute, "the alert", func() error {
		return sameStrings([]string{blind}, p.firing("DiscoveryListDiffers"))
	})
	t.Logf("found %v after the list became wrong", time.Since(begin).Round(time.Second))
	live := p.query(fmt.Sprintf(`sd_state{phase="live",instance=%q}`, blind))
	if err := sameStrings([]string{"1"}, live); err != nil {
		t.Errorf("the blind client is live by its own account: %v", err)
	}
	proxy.Heal()
	p.eventually(t, 30*time.Second, "no alert any more", func() error {
		return sameStrings(nil, p.firing("DiscoveryListDiffers"))
	})
}

// startClient follows the directory at a ZooKeeper, and returns where its metrics are. Its session
// outlives the test, so that a connection that is silent is not given up.
func startClient(t *testing.T, zooKeeper string) (target string) {
	t.Helper()
	e := newExporter() // without what all fifty have in common: one process
	directory, err := sd.ParseTarget("zk://" + zooKeeper + "/go_servers?session-timeout=5m")
	if err != nil {
		t.Fatal(err)
	}
	backend, err := e.ZK("")(directory)
	if err != nil {
		t.Fatal(err)
	}
	instancer := sd.NewInstancer(backend, kitlog.NewNopLogger(), e.Instancer(""))
	metrics := httptest.NewServer(e.Handler())
	t.Cleanup(func() {
		metrics.Close()
		instancer.Stop()
		backend.Close()
	})
	return metrics.Listener.Addr().String()
}

// A prometheusServer is one, with the rules of this package.
type prometheusServer struct {
	address string
	client  http.Client
}

// startPrometheus scrapes targets every three seconds.
func startPrometheus(t *testing.T, program string, targets []string) *prometheusServer {
	t.Helper()
	rules, err := filepath.Abs("rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	list, _ := json.Marshal(targets)
	text := fmt.Sprintf(`global: {scrape_interval: 3s, evaluation_interval: 3s}
rule_files: [%q]
scrape_configs:
- job_name: clients
  static_configs: [{targets: %s}]
`, rules, list)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &prometheusServer{address: freeAddress(t), client: http.Client{Timeout: 2 * time.Second}}
	command := exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+dir,
		"--web.listen-address="+p.address)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		command.Process.Kill()
		command.Wait()
		log.Close()
		if said, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("prometheus: %s", said)
		}
	})
	return p
}

// eventually waits until check returns nil.
func (p *prometheusServer) eventually(
	t *testing.T, limit time.Duration, what string, check func() error,
) {
	t.Helper()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	var err error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); <-ticker.C {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("want %s within %v: %v", what, limit, err)
}

// query returns the values of expressions that have one each, or nothing.
func (p *prometheusServer) query(expressions ...string) (values []string) {
	for _, expression := range expressions {
		var answer struct {
			Data struct{ Result []struct{ Value [2]any } }
		}
		err := p.get("/api/v1/query?query="+url.QueryEscape(expression), &answer)
		if err != nil || len(answer.Data.Result) != 1 {
			return nil
		}
		values = append(values, fmt.Sprint(answer.Data.Result[0].Value[1]))
	}
	return values
}

// firing returns the targets of which an alert fires.
func (p *prometheusServer) firing(alert string) (targets []string) {
	var answer struct {
		Data struct {
			Alerts []struct {
				Labels map[string]string
				State  string
			}
		}
	}
	if err := p.get("/api/v1/alerts", &answer); err != nil {
		return []string{err.Error()}
	}
	for _, a := range answer.Data.Alerts {
		if a.Labels["alertname"] == alert && a.State == "firing" {
			targets = append(targets, a.Labels["instance"])
		}
	}
	return targets
}

func (p *prometheusServer) get(path string, answer any) error {
	response, err := p.client.Get("http://" + p.address + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return json.NewDecoder(response.Body).Decode(answer)
}

func sameStrings(want, have []string) error {
	if slices.Equal(want, have) {
		return nil
	}
	return fmt.Errorf("want %q, have %q", want, have)
}

// freeAddress returns a loopback address at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
