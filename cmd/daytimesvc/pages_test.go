//go:build linux

package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v3"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/transport/transporttest"
)

// blocks returns the texts of cmd/README.md that are marked as of that language.
func blocks(t *testing.T, language string) (texts []string) {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		texts = append(texts, match[1])
	}
	return texts
}

// value returns the value of a key in a unit file.
func value(t *testing.T, unit, key string) string {
	t.Helper()
	match := regexp.MustCompile(`(?m)^` + key + `=(.*)$`).FindStringSubmatch(unit)
	if match == nil {
		t.Fatalf("want %s in\n%s", key, unit)
	}
	return match[1]
}

// The unit files of the page are ones that systemd accepts, and their command serves on the socket.
func TestUnitsOfPage(t *testing.T) {
	units := blocks(t, "ini")
	if len(units) != 2 {
		t.Fatalf("want a socket and a service, have %d units", len(units))
	}
	bin, dir := shelltest.Build(t), t.TempDir()
	program := filepath.Join(bin, "daytimesvc")
	var files []string
	for _, unit := range units {
		name, _, _ := strings.Cut(strings.TrimPrefix(unit, "# /etc/systemd/system/"), "\n")
		files = append(files, filepath.Join(dir, name))
		unit = strings.ReplaceAll(unit, "/usr/local/bin/daytimesvc", program)
		if err := os.WriteFile(files[len(files)-1], []byte(unit), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if tool, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Logf("systemd does not check the units: %v", err)
	} else if out, err := exec.Command(tool, append([]string{"verify", "--man=no"}, files...)...).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}

	registry, url := shelltest.StartRegistry(t, true)
	command := strings.ReplaceAll(value(t, units[1], "ExecStart"), "zk://zk1.example.com,zk2.example.com/go_servers", url)
	if _, port, err := net.SplitHostPort(value(t, units[0], "ListenStream")); err != nil || port != "8897" {
		t.Errorf("want an address with the port 8897, have %v", err)
	}
	l := shelltest.Listen(t).(*net.TCPListener)
	defer l.Close()
	p := activate(t, bin, []*os.File{descriptor(t, l)}, strings.Fields(command)[1:]...)
	shelltest.Registered(t, registry, l.Addr().String())
	if _, err := shelltest.Ask(t.Context(), l.Addr().String()); err != nil {
		t.Errorf("want an answer, have %v", err)
	}
	p.SignalAndExit(t, syscall.SIGTERM, shell.ExitOK)
}

// A probe asks over HTTP.
type probe struct {
	HTTPGet struct {
		Path string
		Port int
	} `yaml:"httpGet"`
}

// A container of the manifest, as far as it is the program's.
type container struct {
	Command, Args []string
	Env           []struct{ Name string }
	Ports         []struct {
		ContainerPort int `yaml:"containerPort"`
	}
	LivenessProbe  probe `yaml:"livenessProbe"`
	ReadinessProbe probe `yaml:"readinessProbe"`
	Lifecycle      struct {
		PreStop struct{ Exec struct{ Command []string } } `yaml:"preStop"`
	}
}

// The manifest of the page is a Deployment whose commands work: with the address of a pod and a
// Secret, the program registers and answers, and it ends in time.
func TestManifestOfPage(t *testing.T) {
	var manifest struct {
		Kind string
		Spec struct {
			Selector struct {
				MatchLabels map[string]string `yaml:"matchLabels"`
			}
			Template struct {
				Metadata struct{ Labels map[string]string }
				Spec     struct{ Containers []container }
			}
		}
	}
	texts := blocks(t, "yaml")
	if len(texts) != 1 {
		t.Fatalf("want a manifest, have %d", len(texts))
	}
	if err := yaml.Unmarshal([]byte(texts[0]), &manifest); err != nil {
		t.Fatal(err)
	}
	template := manifest.Spec.Template
	want, have := fmt.Sprint(manifest.Spec.Selector.MatchLabels), fmt.Sprint(template.Metadata.Labels)
	if manifest.Kind != "Deployment" || len(template.Spec.Containers) != 1 || want != have {
		t.Fatalf("want a Deployment of one container that it selects, have %+v", manifest)
	}
	c := template.Spec.Containers[0]
	registry, url := shelltest.StartRegistry(t, true)
	secret := filepath.Join(t.TempDir(), "auth")
	if err := os.WriteFile(secret, []byte("user:password"), 0o440); err != nil { // its defaultMode
		t.Fatal(err)
	}
	addrs := transporttest.FreeAddresses(t, 2)
	addr, admin := addrs[0], addrs[1]
	_, port, _ := net.SplitHostPort(addr)
	replace := strings.NewReplacer("$(POD_IP)", "127.0.0.1", "8897", port, "=:9867", "="+admin,
		"zk://zk1.example.com,zk2.example.com/go_servers", url, "/etc/daytime/auth", secret)
	args := c.Command[1:]
	for _, arg := range c.Args {
		args = append(args, replace.Replace(arg))
	}
	p := shelltest.Launch(t, shelltest.Build(t), c.Command[0], args...)
	shelltest.Registered(t, registry, addr)
	if reply, err := shelltest.Ask(t.Context(), addr); !strings.HasPrefix(reply, addr) || err != nil {
		t.Errorf("want an answer with the pod's address, have %q, %v", reply, err)
	}
	for _, probe := range []probe{c.LivenessProbe, c.ReadinessProbe} {
		response, err := http.Get("http://" + admin + probe.HTTPGet.Path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK || probe.HTTPGet.Port != c.Ports[1].ContainerPort {
			t.Errorf("want a probe that is answered, have %+v: %s", probe, response.Status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if c.Ports[0].ContainerPort != 8897 || c.Env[0].Name != "POD_IP" {
		t.Errorf("want the port that is served, and the address, have %+v", c)
	}
	stop := c.Lifecycle.PreStop.Exec.Command
	if _, err := exec.LookPath(stop[0]); err != nil {
		t.Error(err)
	}
	p.SignalAndExit(t, syscall.SIGTERM, shell.ExitOK)
}
