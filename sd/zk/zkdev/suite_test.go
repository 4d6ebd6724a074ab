package zkdev

import (
	"bufio"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

var suite = flag.Bool("suite", false, "run go-zookeeper's own tests against this server")

// beyond are the tests of go-zookeeper that are left out: they start an ensemble of three and want
// what was written to one server read from another, or change its members.
const beyond = "^TestIntegration_(BasicCluster|ClientClusterFailover|NoQuorum|" +
	"DNSHostProviderReconnect|IncrementalReconfig|Reconfig)$"

// minPassed is how many of its tests pass; fewer means that the suite ended early.
const minPassed = 41

// TestGoZookeeperSuite copies go-zookeeper's module, in the version of go.mod, to a temporary
// directory and runs its tests there. They start ZooKeepers by a script, zkServer.sh, that is given
// a configuration; the script here asks this process to serve on the port in it, for as long as the
// script runs. So the data outlives the stop of a server, as on a disk.
func TestGoZookeeperSuite(t *testing.T) {
	if !*suite {
		t.Skip("it takes a minute, and runs with -suite")
	}
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}",
		"github.com/go-zookeeper/zk").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(strings.TrimSpace(string(module)))); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "bin")
	writeScript(t, filepath.Join(bin, "zkServer.sh"), serveOnRequest(t))
	cmd := exec.Command("go", "test", "-mod=mod", "-v", "-count=1", "-timeout=8m", "-skip", beyond,
		".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ZOOKEEPER_BIN_PATH="+bin, "ZK_VERSION=3.8.0", "GOFLAGS=",
		"GOWORK=off")
	out, err := cmd.CombinedOutput()
	passed := len(regexp.MustCompile(`(?m)^--- PASS: `).FindAll(out, -1))
	if skipped := strings.Contains(string(out),
		"--- SKIP: "); err != nil || skipped || passed < minPassed {
		t.Fatalf("have %v, %d passed, skipped some %v; want no error, %d, none\n%s", err, passed,
			skipped, minPassed, out)
	}
	t.Logf("%d tests passed", passed)
}

// writeScript writes a script that asks this process at addr to serve the configuration that it is
// given, and runs until it is killed.
func writeScript(t *testing.T, file, addr string) {
	t.Helper()
	_, port, _ := net.SplitHostPort(addr)
	text := "#!/usr/bin/env bash\n" +
		"exec 3<>/dev/tcp/127.0.0.1/" + port + "\n" +
		"echo \"$2\" >&3\n" +
		"exec cat <&3\n"
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// serveOnRequest listens for the scripts. Each sends the path of a configuration, and closes its
// connection when its ZooKeeper is to stop.
func serveOnRequest(t *testing.T) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		servers = map[string]*onDemand{} // by configuration
	)
	wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer nc.Close()
				r := bufio.NewReader(nc)
				config, err := r.ReadString('\n')
				if err != nil {
					return
				}
				mu.Lock()
				d := servers[config]
				if d == nil {
					d = &onDemand{}
					servers[config] = d
				}
				mu.Unlock()
				if err := d.serve(strings.TrimSpace(config), r); err != nil {
					t.Errorf("serving %s: %v", config, err)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
		for _, d := range servers {
			d.server.Close()
		}
	})
	return l.Addr().String()
}

// An onDemand is a server that is begun at the first request and stopped in between.
type onDemand struct {
	mu     sync.Mutex // held while it serves
	server *Server
}

func (d *onDemand) serve(config string, until *bufio.Reader) (err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.server != nil {
		err = d.server.Restart()
	} else {
		d.server, err = startAs(config)
	}
	if err != nil {
		return err
	}
	until.ReadByte()
	d.server.Stop()
	return nil
}

// startAs reads the port and the tick from a configuration.
func startAs(config string) (*Server, error) {
	text, err := os.ReadFile(config)
	if err != nil {
		return nil, err
	}
	value := func(key string) string {
		found := regexp.MustCompile(`(?m)^` + key + `=(\d+)`).FindSubmatch(text)
		if found == nil {
			return ""
		}
		return string(found[1])
	}
	tick, err := time.ParseDuration(value("tickTime") + "ms")
	if err != nil {
		return nil, err
	}
	return Start("127.0.0.1:"+value("clientPort"), TickTime(tick))
}
