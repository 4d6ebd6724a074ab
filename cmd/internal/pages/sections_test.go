//go:build unix

package pages

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/sd/zk/zktest"
	"example.com/daytime/transport/transporttest"
)

// sorted is a filter: ZooKeeper promises no order of a list.
const sorted = `grep '^\[' | tr -d '[],' | xargs -n 1 | sort | xargs | sed 's/.*/[&]/; s/ /, /g'`

// quickStart runs the blocks that a newcomer begins with, by the programs that go run would make: a
// server in one terminal, and what follows in another. go test is this test, among others.
func quickStart(s *stage, b Block) {
	s.Helper()
	if !strings.Contains(b.Text, "--dev") {
		s.startRegistry()
	}
	script, wants := "set -e -x\n", ""
	for line := range strings.Lines(b.Text) {
		command, shown, _ := strings.Cut(strings.TrimSpace(line), "#")
		switch name, isRun := strings.CutPrefix(command, "go run ./cmd/"); {
		case isRun && strings.HasPrefix(name, "daytimesvc "):
			begun := strings.TrimSpace(name) + " 2>svc.log &\n"
			script += begun + registered(begun)
		case isRun:
			script += name + "\n"
		case strings.HasPrefix(command, "go test ./..."):
		case strings.HasPrefix(command, zkCli) && zkCliIsThere(s):
			wants = strings.TrimSpace(shown)
			script += command + " 2>zk.log | " + sorted + "\n"
		case !strings.HasPrefix(command, zkCli):
			s.Errorf("line %d: no way is known to run %q", b.Line, command)
		}
	}
	out, err := s.bash(s.here(script))
	out = s.there(out)
	replies := regexp.MustCompile(`(?m)^127\.0\.0\.1:889[789]: \d`).FindAllString(out, -1)
	if err != nil || len(replies) != 5 || !strings.Contains(out, wants) {
		s.Errorf("line %d: want five replies, and %q, have %v\n%s\n%s", b.Line, wants, err, out, s.logs())
	}
}

// drawing is not for a machine.
func drawing(s *stage, b Block) {
	s.Helper()
	if !strings.Contains(b.Text, "►") {
		s.Errorf("line %d: want a drawing here", b.Line)
	}
}

// zkCliIsThere reports whether ZooKeeper's shell is installed. It has to be with
// REQUIRE_ZOOKEEPER=1.
func zkCliIsThere(t testing.TB) bool {
	t.Helper()
	_, err := os.Stat(zkCli)
	if err != nil && os.Getenv("REQUIRE_ZOOKEEPER") == "1" {
		t.Fatalf("%v (REQUIRE_ZOOKEEPER=1; apt-get install zookeeper)", err)
	}
	return err == nil
}

func needsZkCli(t *testing.T, _ *stage) {
	t.Helper()
	if !zkCliIsThere(t) {
		t.Skipf("no %s here; apt-get install zookeeper", zkCli)
	}
}

// fleet registers eight servers, which nobody calls, in a registry of their own.
func fleet(s *stage) {
	s.Helper()
	s.startRegistry()
	backend, err := sd.Schemes{"zk": zk.Open}.Open(s.here("zk://127.0.0.1:2181/go_servers"))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { backend.Close() })
	attributes := policy.Attributes{Tags: map[string]string{"version": "2.1"}}
	for i := range 8 {
		registrar, err := sd.NewRegistrar(backend, fmt.Sprintf("192.0.2.%d:%s", i+1, s.swaps["8897"]),
			kitlog.NewNopLogger(), sd.Attributes(attributes))
		if err != nil {
			s.Fatal(err)
		}
		registrar.Register()
		s.Cleanup(registrar.Deregister)
		attributes = policy.Attributes{}
	}
}

// steering runs the commands on a fleet. They leave what they say.
func steering(s *stage, b Block) {
	s.Helper()
	fleet(s)
	defer s.freePort("2181") // for the block that follows
	s.script(b)
	have, err := s.bash("daytimecli policy get")
	want := "weight version=2.1 10 by=ops\n"
	if err != nil || !strings.HasSuffix(withoutVersion(have), want) {
		s.Errorf("line %d: want the policy to end with\n%s\nhave\n%s", b.Line, want, have)
	}
}

// withoutVersion is a policy as policy get prints it, without its last line, #version N.
func withoutVersion(text string) string {
	return regexp.MustCompile(`#version \d+\n$`).ReplaceAllString(text, "")
}

// backup runs the commands where there is a policy, those of the next day while the registry is
// down, and all of them after it has lost its data: the policy is there again.
func backup(s *stage, b Block) {
	s.Helper()
	fleet(s)
	if out, err := s.bash("daytimecli drain 192.0.2.4"); err != nil {
		s.Fatalf("%v\n%s", err, out)
	}
	s.script(b)
	s.freePort("2181")
	first, _, _ := strings.Cut(b.Text, "\n")
	out, err := s.bash("mv policy-*.txt policy-2000-01-01.txt; export DAYTIME_TIMEOUT=1s; set -x\n" + first)
	if err == nil {
		s.Errorf("line %d: want no copy of a registry that is down, have\n%s", b.Line, out)
	}
	fleet(s)
	s.script(b)
	have, err := s.bash("daytimecli policy get")
	if want := "drain 192.0.2.4 by=ops\n"; err != nil || !strings.HasSuffix(withoutVersion(have), want) {
		s.Errorf("line %d: want the policy to end with\n%s\nhave\n%s", b.Line, want, have)
	}
}

// elsewhere is what a test of daytimesvc is about: it has the parts to run a unit and a container.
func elsewhere(s *stage, b Block) {
	s.Helper()
	if !strings.Contains(read(s, "cmd/daytimesvc/pages_test.go"), `blocks(t, "`+b.Language+`")`) {
		s.Errorf("line %d: no test of daytimesvc takes it", b.Line)
	}
}

// systemctl wants root and a systemd that runs: what the commands name is on the page.
func systemctl(s *stage, b Block) {
	s.Helper()
	units := read(s, "cmd/README.md")
	for _, unit := range regexp.MustCompile(`\S+\.(service|socket)`).FindAllString(b.Text, -1) {
		if !strings.Contains(units, "# /etc/systemd/system/"+unit+"\n") {
			s.Errorf("line %d: there is no unit %s", b.Line, unit)
		}
	}
	s.Log("not run: systemctl changes the machine; cmd/daytimesvc has systemd check the units")
}

// kubectl wants a cluster: the Secret is made without one, and the file is that of the page.
func kubectl(s *stage, b Block) {
	s.Helper()
	page := read(s, "cmd/README.md")
	for line := range strings.Lines(b.Text) {
		fields := strings.Fields(line)
		switch fields[1] {
		case "apply":
			if !strings.Contains(page, "```yaml\n# "+fields[3]+"\n") {
				s.Errorf("line %d: there is no %s", b.Line, fields[3])
			}
			s.Log("not run: kubectl apply wants a cluster; cmd/daytimesvc runs what is in the container")
		case "create":
			if !strings.Contains(page, "secretName: "+fields[4]+",") {
				s.Errorf("line %d: nobody uses the secret %s", b.Line, fields[4])
			}
			if _, err := exec.LookPath("kubectl"); err != nil {
				s.Logf("not run: %v", err)
				break
			}
			out, err := s.bash(strings.TrimSpace(line) + " --dry-run=client -o yaml")
			if err != nil || !strings.Contains(out, "  auth: ") {
				s.Errorf("line %d: %v\n%s", b.Line, err, out)
			}
		default:
			s.Errorf("line %d: no way is known to run %q", b.Line, line)
		}
	}
}

// serveOne has a server at the port 8897.
func serveOne(t *testing.T, s *stage) {
	l, err := net.Listen("tcp", "127.0.0.1:"+s.swaps["8897"])
	if err != nil {
		t.Fatal(err)
	}
	shelltest.ServeListener(t, l)
}

// nginx runs with the file that is shown.
func nginx(s *stage, b Block) {
	s.Helper()
	program := transporttest.Program(s, "nginx", "nginx")
	if _, err := os.Stat("/usr/share/nginx/modules/ngx_stream_module.so"); err != nil {
		s.Skipf("%v; apt-get install libnginx-mod-stream", err)
	}
	conf := s.write("nginx.conf", s.here(b.Text))
	cmd := exec.Command(program, "-c", conf, "-e", "stderr", "-g", "daemon off; pid "+s.dir+"/pid;")
	shelltest.LaunchCommand(s, cmd)
	shelltest.Eventually(s, func() error {
		nc, err := net.Dial("tcp", s.here("127.0.0.1:8896"))
		if err == nil {
			nc.Close()
		}
		return err
	})
}

// layouts runs the commands on directories as their systems write them.
func layouts(s *stage, b Block) {
	s.Helper()
	registry := s.startRegistry()
	for path, data := range map[string]string{
		"/services/time/7f3c": `{"name":"time","id":"7f3c","address":"192.0.2.1","port":8897}`,
		"/discovery/prod/time/member_0000000007": `{"serviceEndpoint":{"host":"192.0.2.1","port":8897},` +
			`"additionalEndpoints":{},"status":"ALIVE"}`,
		"/dubbo/org.example.Time/providers/" +
			url.QueryEscape("dubbo://192.0.2.1:8897/org.example.Time?application=time"): "",
	} {
		create(s, registry, path, data)
	}
	s.script(b)
	listed, _ := s.bash(strings.ReplaceAll(s.here(b.Text), "-o wide", "-o name"))
	want, have := strings.Count(b.Text, "\n"), strings.Count(listed, "192.0.2.1:8897\n")
	if want != have {
		s.Errorf("line %d: want %d lists of one server, have\n%s", b.Line, want, listed)
	}
}

// create makes a node, and those above it.
func create(t testing.TB, registry *zkdev.Server, path, data string) {
	t.Helper()
	for i := 1; i < len(path); i++ {
		if path[i] == '/' {
			registry.Create(path[:i], nil, 0) // another path may have made it
		}
	}
	if err := registry.Create(path, []byte(data), 0); err != nil {
		t.Fatal(err)
	}
}

// zooKeeperWithTLS runs a real one, with the lines that are shown.
func zooKeeperWithTLS(s *stage, b Block) {
	s.Helper()
	text := strings.ReplaceAll(s.here(strings.TrimSpace(b.Text)), "/etc/zookeeper", s.dir)
	zktest.Start(s, zktest.Config(strings.Split(text, "\n")[1:]...))
}

// bothRegistries has a ZooKeeper and an etcd.
func bothRegistries(t *testing.T, s *stage) {
	t.Helper()
	_, s.swaps["2379"], _ = net.SplitHostPort(etcdtest.Start(t).Addr())
}
