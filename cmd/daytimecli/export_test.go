package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd/policy"
	"example.com/daytime/transport/transporttest"
)

// targetsOf is what Prometheus gets of servers without attributes.
func targetsOf(instances ...string) string {
	var groups []string
	for _, instance := range instances {
		groups = append(groups, "  {\n    \"targets\": [\n      \""+instance+"\"\n    ],\n    \"labels\": {\n"+
			"      \"__meta_daytime_drained\": \"false\",\n      \"__meta_daytime_zone\": \"\"\n    }\n  }")
	}
	return "[\n" + strings.Join(groups, ",\n") + "\n]\n"
}

func TestExport(t *testing.T) {
	url := "fixed://192.0.2.2:2,[2001:db8::1]:1"
	for _, test := range []struct{ args, want string }{
		{"prometheus", targetsOf("192.0.2.2:2", "[2001:db8::1]:1")},
		{"haproxy", "    server 192.0.2.2:2 192.0.2.2:2 check\n    server 2001:db8::1:1 [2001:db8::1]:1 check\n"},
		{"haproxy --backend b --parameters=", "backend b\n    server 192.0.2.2:2 192.0.2.2:2\n    server 2001:db8::1:1 [2001:db8::1]:1\n"},
	} {
		args := append([]string{"export", "--sd", url}, strings.Fields(test.args)...)
		stdout, stderr := try(t, shell.ExitOK, args...)
		if test.want != stdout || stderr != "" {
			t.Errorf("%s: want %q, have %q and %q", test.args, test.want, stdout, stderr)
		}
		file := filepath.Join(t.TempDir(), "out")
		stdout, _ = try(t, shell.ExitOK, append(args, "-f", file)...)
		if have, err := os.ReadFile(file); string(have) != test.want || stdout != "" || err != nil {
			t.Errorf("%s: want %q in the file, have %q, %v and on stdout %q", test.args, test.want, have, err, stdout)
		}
	}
}

// A list that is not known, or too short, is not written.
func TestExportWithoutAList(t *testing.T) {
	_, empty := shelltest.StartRegistry(t, true)
	for url, want := range map[string]string{
		empty:                                  "0 registered, want 1: too few, nothing is written",
		"zk://" + transporttest.FreeAddress(t): "connection refused",
	} {
		file := filepath.Join(t.TempDir(), "out")
		_, stderr := try(t, shell.ExitFailure, "export", "prometheus", "--sd", url, "-f", file, "--timeout", "1s")
		shelltest.WantText(t, stderr, want)
		if _, err := os.Stat(file); !os.IsNotExist(err) {
			t.Errorf("want no file, have %v", err)
		}
	}
	stdout, _ := try(t, shell.ExitOK, "export", "prometheus", "--sd", empty, "--min", "0")
	if want := "[]\n"; want != stdout {
		t.Errorf("want %q, have %q", want, stdout)
	}
}

// A file that cannot be written where it is to be is a wrong command.
func TestExportIntoAMissingDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "none", "out")
	for _, more := range [][]string{nil, {"--watch"}} {
		_, stderr := try(t, shell.ExitUsage, append([]string{"export", "haproxy", "-f", file, "--sd",
			"fixed://192.0.2.1:1"}, more...)...)
		shelltest.WantText(t, stderr, `daytimecli: --file `, filepath.Dir(file), "no such file or directory")
	}
}

// The list of a snapshot is not written while the registry is down.
func TestExportWithoutTheSnapshot(t *testing.T) {
	o := newOutage(t)
	file := filepath.Join(t.TempDir(), "out")
	args := []string{"export", "haproxy", "--sd", o.url, "--snapshot", o.file, "-f", file}
	_, stderr := try(t, shell.ExitFailure, args...)
	shelltest.WantText(t, stderr, "connection refused")
	p := start(t, append(args, "--watch", "--log-level", "info")...)
	p.Stderr.Await(t, "discovery unknown", 1)
	time.Sleep(2 * time.Second) // a start with a snapshot waits 1.5 s
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("want no file, have %v", err)
	}
	o.end(t)
	p.Stderr.Await(t, "msg=written", 1)
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}

// A policy that cannot be read gives nobody back who is drained: the file stays until one can, and
// the last that could be read holds for those who join later.
func TestExportWithoutAPolicy(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, true)
	shelltest.Enter(t, registry, "192.0.2.1:1", "192.0.2.2:2")
	file := filepath.Join(t.TempDir(), "out")
	args := []string{"export", "haproxy", "--sd", url, "-f", file}
	drained := []byte(policy.Header + "\ndrain 192.0.2.1\n")
	set := func(text []byte) {
		t.Helper()
		if err := registry.SetData("/go_servers", text); err != nil {
			t.Fatal(err)
		}
	}
	wants := func(want string) {
		t.Helper()
		shelltest.Eventually(t, func() error {
			if have, err := os.ReadFile(file); want != string(have) {
				return fmt.Errorf("want %q, have %q, %v", want, have, err)
			}
			return nil
		})
	}
	const two = "    server 192.0.2.1:1 192.0.2.1:1 check weight 0\n" +
		"    server 192.0.2.2:2 192.0.2.2:2 check weight 100\n"
	set(drained)
	try(t, shell.ExitOK, args...)
	wants(two)
	set([]byte("hello"))
	_, stderr := try(t, shell.ExitFailure, args...)
	shelltest.WantText(t, stderr, "the policy is not known: ", "nothing is written")
	wants(two)

	p := start(t, append(args, "--watch", "--log-level", "info")...)
	p.Stderr.Await(t, "policy not followed", 1)
	shelltest.Enter(t, registry, "192.0.2.3:3")
	wants(two)
	set(drained)
	const three = two + "    server 192.0.2.3:3 192.0.2.3:3 check weight 100\n"
	wants(three)
	set([]byte("hello"))
	p.Stderr.Await(t, "policy not followed", 2)
	shelltest.Enter(t, registry, "192.0.2.4:4")
	wants(three + "    server 192.0.2.4:4 192.0.2.4:4 check weight 100\n")
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}

// The file follows the registry, and the command runs after each change. An empty list changes nothing.
func TestExportWatch(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, true)
	file := filepath.Join(t.TempDir(), "targets.json")
	p := start(t, "export", "prometheus", "--sd", url, "-f", file, "--watch",
		"--then", fmt.Sprintf("echo >>%s.log", file), "--log-level", "info")
	p.Stderr.Await(t, "too few", 1)
	targets := func(want ...string) {
		t.Helper()
		shelltest.Eventually(t, func() error {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			var groups []struct{ Targets []string }
			err = json.Unmarshal(text, &groups)
			var have []string
			for _, g := range groups {
				have = append(have, g.Targets...)
			}
			if !slices.Equal(want, have) {
				return fmt.Errorf("want %q, have %s, %v", want, text, err)
			}
			return nil
		})
	}
	shelltest.Enter(t, registry, "192.0.2.1:1")
	targets("192.0.2.1:1")
	shelltest.Enter(t, registry, "192.0.2.2:2")
	targets("192.0.2.1:1", "192.0.2.2:2")
	for _, name := range []string{"192.0.2.1:1", "192.0.2.2:2"} {
		if err := registry.Delete("/go_servers/" + name); err != nil {
			t.Fatal(err)
		}
	}
	p.Stderr.Await(t, "too few", 2)
	p.Interrupt(nil)
	_, stderr := p.Finish(t, shell.ExitOK)
	log, err := os.ReadFile(file + ".log")
	if want := strings.Count(stderr, "msg=written"); len(log) != want || want < 2 || err != nil {
		t.Errorf("want the command run %d times, have %d, %v", want, len(log), err)
	}
}

// write writes text to a file in dir, and returns its name.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// HAProxy balances over the servers of the file that is exported for it.
func TestExportToHAProxy(t *testing.T) {
	t.Parallel()
	haproxy, dir, front := transporttest.Program(t, "haproxy", "haproxy"), t.TempDir(), transporttest.FreeAddress(t)
	servers := []string{shelltest.Serve(t), shelltest.Serve(t)}
	file := filepath.Join(dir, "daytime.cfg")
	try(t, shell.ExitOK, "export", "haproxy", "--backend", "daytime", "-f", file,
		"--sd", "fixed://"+strings.Join(servers, ",")+",[2001:db8::1]:1", "--parameters", "check inter 100ms")
	config := write(t, dir, "haproxy.cfg", "defaults\n mode tcp\n timeout connect 1s\n timeout client 1s\n"+
		" timeout server 1s\n retries 0\nfrontend f\n bind "+front+"\n default_backend daytime\n")
	shelltest.LaunchCommand(t, exec.Command(haproxy, "-db", "-f", config, "-f", file))
	for _, server := range servers {
		shelltest.Eventually(t, func() error {
			reply, err := shelltest.Ask(t.Context(), front)
			if err == nil && !strings.HasPrefix(reply, server+": ") {
				err = fmt.Errorf("want a reply of %s, have %q", server, reply)
			}
			return err
		})
	}
}

// Prometheus has the servers of the file as its targets, and follows the file.
func TestExportToPrometheus(t *testing.T) {
	t.Parallel() // it takes 5 s to look at its files
	prometheus, dir, addr := transporttest.Program(t, "prometheus", "prometheus"), t.TempDir(), transporttest.FreeAddress(t)
	file := filepath.Join(dir, "targets.json")
	config := write(t, dir, "prometheus.yml", "scrape_configs:\n- job_name: daytime\n  file_sd_configs:\n"+
		"  - files: ["+file+"]\n    refresh_interval: 1s\n")
	p := shelltest.LaunchCommand(t, exec.Command(prometheus, "--config.file", config,
		"--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", addr))
	servers := []string{"192.0.2.1:1", "[2001:db8::1]:1"}
	try(t, shell.ExitOK, "export", "prometheus", "-f", file, "--sd", "fixed://"+strings.Join(servers, ","))
	shelltest.Eventually(t, func() error {
		response, err := http.Get("http://" + addr + "/api/v1/targets")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		defer http.DefaultClient.CloseIdleConnections()
		var answer struct {
			Data struct {
				ActiveTargets []struct{ Labels struct{ Instance string } }
			}
		}
		err = json.NewDecoder(response.Body).Decode(&answer)
		var have []string
		for _, target := range answer.Data.ActiveTargets {
			have = append(have, target.Labels.Instance)
		}
		if slices.Sort(have); !slices.Equal(servers, have) {
			err = fmt.Errorf("want %q, have %q, %v; stderr\n%s", servers, have, err, p.Stderr)
		}
		return err
	})
}

// A share has no form in HAProxy's weights, which is told: once for each policy with one.
func TestExportTellsOfAShare(t *testing.T) {
	const told = "a share line is not expressed"
	f := startFleet(t, 2)
	_, stderr := f.try(t, shell.ExitOK, "export", "haproxy")
	if stderr != "" {
		t.Errorf("without a share: want nothing, have %q", stderr)
	}
	f.write(t, policy.Header+"\nshare 192.0.2.1 10%\n")
	_, stderr = f.try(t, shell.ExitOK, "export", "haproxy")
	if n := strings.Count(stderr, told); n != 1 || !strings.Contains(stderr, "share 192.0.2.1 10%") {
		t.Errorf("want one warning with the line, have %q", stderr)
	}
	if _, stderr = f.try(t, shell.ExitOK, "export", "prometheus"); stderr != "" {
		t.Errorf("prometheus: want nothing, have %q", stderr)
	}
	file := filepath.Join(t.TempDir(), "out")
	p := start(t, "export", "haproxy", "--sd", f.url, "-f", file, "--watch")
	p.Stderr.Await(t, told, 1)
	f.write(t, policy.Header+"\nshare 192.0.2.1 20%\ndrain 192.0.2.2\n")
	p.Stderr.Await(t, told, 2)
	p.Interrupt(nil)
	if _, stderr := p.Finish(t, shell.ExitOK); strings.Count(stderr, told) != 2 {
		t.Errorf("want a warning for each policy, have %q", stderr)
	}
}
