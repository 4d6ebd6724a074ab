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

// alerts are the names of all rules that tell somebody.
func alerts(t *testing.T) (names []string) {
	t.Helper()
	rules, err := os.ReadFile("rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		names = append(names, m[1])
	}
	return names
}

// Each rule is seen to fire in the tests of testdata.
func TestEachRuleFires(t *testing.T) {
	tests, err := os.ReadFile("testdata/rules_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range alerts(t) {
		fires := regexp.MustCompile(`alertname: ` + name + `(, |\n +)exp_alerts:\s+(\[|- )exp_labels`)
		if !fires.Match(tests) {
			t.Errorf("want a test in which %s fires", name)
		}
	}
}

// Nothing fires while all is well, at no evaluation: three servers are deployed from 1:00 on, one
// after the other; client e is restarted at 3:15, and f begins at 4:00, both without a list at first;
// the registry is restarted at 5:00. Samples come each 15 s, of some clients before a change and of
// others after it.
func TestRulesAreSilentInADeploy(t *testing.T) {
	promtool := transporttest.Program(t, "promtool", "prometheus")
	rules, err := filepath.Abs("rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "rule_files: [%q]\nevaluation_interval: 15s\ntests:\n- interval: 15s\n"+
		"  input_series:\n", rules)
	for _, series := range [][2]string{
		{`sd_set_hash{job="c",instance="a",registry=""}`, "5x3 6 8 5x25"},
		{`sd_set_hash{job="c",instance="b",registry=""}`, "5x4 6 7 5x24"},
		{`sd_set_hash{job="c",instance="c",registry=""}`, "5x3 6 5 7 5x24"},
		{`sd_set_hash{job="c",instance="d",registry=""}`, "5x4 8 5x25"},
		{`sd_set_hash{job="c",instance="e",registry=""}`, "5x3 6 8 5x6 _ 0 5x16"},
		{`sd_set_hash{job="c",instance="f",registry=""}`, "_x16 0 5x13"},
		{`sd_last_confirmed_timestamp_seconds{job="c",instance="a",registry=""}`, "0+15x20 300 330+15x8"},
		{`sd_state_since_timestamp_seconds{job="c",instance="a",registry=""}`, "0x20 300 302x8"},
		{`sd_last_confirmed_timestamp_seconds{job="c",instance="e",registry=""}`, "0+15x12 _ 0 225+15x15"},
		{`sd_state_since_timestamp_seconds{job="c",instance="e",registry=""}`, "0x12 _ 209 211x15"},
		{`sd_last_confirmed_timestamp_seconds{job="c",instance="f",registry=""}`, "_x16 0 255+15x13"},
		{`sd_state_since_timestamp_seconds{job="c",instance="f",registry=""}`, "_x16 240 241x13"},
		{`sd_policy_version{job="c",instance="a",registry=""}`, "7x30"},
		{`sd_policy_version{job="c",instance="b",registry=""}`, "7x30"},
		{`sd_policy_version{job="c",instance="e",registry=""}`, "7x12 _ 0 7x15"},
		{`sd_policy_version{job="c",instance="f",registry=""}`, "_x16 0 7x13"},
		{`sd_policy_suspended{job="c",instance="a",registry="",verb="drain"}`, "0x30"},
		{`sd_policy_problems{job="c",instance="a",registry="",kind="line"}`, "0x30"},
		{`sd_repaired_total{job="c",instance="e",registry=""}`, "1x12 _ 0x16"},
		{`sd_session_expiries_total{job="c",instance="e",registry=""}`, "4x12 _ 0x16"},
		{`lb_retry_budget_exhausted_total{job="c",instance="e"}`, "9x12 _ 0x16"},
		{`lb_members{job="c",instance="a",state="ready"}`, "3x3 2 2 3x25"},
		{`lb_members{job="c",instance="a",state="ejected"}`, "0x30"},
		{`lb_members{job="c",instance="e",state="ready"}`, "3x3 2 2 3x6 _ 0 0 3x14"},
		{`lb_members{job="c",instance="e",state="failing"}`, "0x12 _ 0x16"},
		{`lb_members{job="c",instance="e",state="pending"}`, "0x12 _ 0 3 0x14"},
		{`lb_members{job="c",instance="f",state="ready"}`, "_x16 0 3x13"},
		{`sd_registration_state{job="s",instance="1",phase="registered"}`, "1x3 0 _ 0 1x25"},
		{`sd_registration_state{job="s",instance="1",phase="withdrawn"}`, "0x3 1 _ 0x26"},
		{`sd_registration_state{job="s",instance="1",phase="registering"}`, "0x4 _ 1 0x25"},
		{`sd_registration_state{job="s",instance="2",phase="lost"}`, "0x19 1 1 0x10"},
		{`sd_session_expiries_total{job="s",instance="1",registry=""}`, "4x3 _ 0x26"},
		{`rpc_server_connections_turned_away_total{job="s",instance="1"}`, "70x3 _ 0x26"},
	} {
		fmt.Fprintf(&text, "  - {series: '%s', values: %s}\n", series[0], series[1])
	}
	text.WriteString("  alert_rule_test:\n")
	for _, name := range alerts(t) {
		for at := 0; at <= 30*15; at += 15 {
			fmt.Fprintf(&text, "  - {eval_time: %ds, alertname: %s, exp_alerts: []}\n", at, name)
		}
	}
	file := filepath.Join(t.TempDir(), "deploy_test.yml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(promtool, "test", "rules", file).CombinedOutput(); err != nil {
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
		firing := p.firing("DiscoveryListDiffers")
		for _, target := range firing {
			if target != blind {
				t.Errorf("want nobody else told of, have %s after %v", target, time.Since(begin))
			}
		}
		return sameStrings([]string{blind}, firing)
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
