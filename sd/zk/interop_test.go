package zk_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zktest"
	"example.com/daytime/transport/transporttest"
)

// Programs that know nothing of this one find its servers, with the addresses that they are to
// dial.
var interopNames = []string{"127.0.0.1:18897", "[2001:db8::1]:13"}

// registerForPeers registers servers in a directory on a real ZooKeeper, beside a ZooKeeper of
// their own.
func registerForPeers(t *testing.T, path string) (addr string) {
	t.Helper()
	server := zktest.Start(t)
	b, err := zk.OpenBackend(sdtest.Target(t, "zk://"+server.Addr()+path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	for _, name := range interopNames {
		sdtest.Register(t, b, name)
	}
	tool := clearText(t, server)
	wait.For(t, 10*time.Second, func() error {
		have, _, err := tool.Children(path)
		if err != nil {
			return err
		}
		return sdtest.Same("registered", interopNames, have)
	})
	return server.Addr()
}

// Prometheus reads the directory as ServerSets and as Nerve, without relabelling.
func TestPrometheusFindsServers(t *testing.T) {
	program := transporttest.Program(t, "prometheus", "prometheus")
	addr := registerForPeers(t, "/go_servers")
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf(`scrape_configs:
- job_name: serverset
  serverset_sd_configs: [{servers: ["%s"], paths: [/go_servers]}]
- job_name: nerve
  nerve_sd_configs: [{servers: ["%s"], paths: [/go_servers]}]
`, addr, addr)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	at := freeAddress(t)
	command := exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+dir, "--web.listen-address="+at)
	var log lockedBuffer
	command.Stdout, command.Stderr = &log, &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	for _, job := range []string{"serverset", "nerve"} {
		wait.For(t, 30*time.Second, func() error {
			have, err := prometheusTargets(at, job)
			if err != nil {
				return err
			}
			return sdtest.Same(job, interopNames, have)
		})
	}
}

// prometheusTargets returns the addresses of a job.
func prometheusTargets(at, job string) (addresses []string, err error) {
	client := http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	response, err := client.Get("http://" + at + "/api/v1/targets?state=active")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer struct {
		Data struct {
			ActiveTargets []struct {
				DiscoveredLabels map[string]string `json:"discoveredLabels"`
				ScrapePool       string            `json:"scrapePool"`
			} `json:"activeTargets"`
		} `json:"data"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	for _, target := range answer.Data.ActiveTargets {
		if target.ScrapePool == job {
			addresses = append(addresses, target.DiscoveredLabels["__address__"])
		}
	}
	return addresses, nil
}

// freeAddress returns a loopback address at which nobody listens.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
