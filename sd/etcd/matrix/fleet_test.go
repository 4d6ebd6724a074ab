package matrix

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/transport/transporttest"
)

const (
	directory = "/go_servers/"
	ttl       = 2 * time.Second
)

// A fleet is the servers and clients of a cluster. Its test drives it.
type fleet struct {
	*testing.T
	cluster  *etcdtest.Cluster
	target   string
	admin    admin
	servers  map[string]*server
	clients  []*client
	calls    sync.WaitGroup // under way
	asked    atomic.Int64
	failed   atomic.Int64
	why      atomic.Pointer[error]
	lateness *wait.Lateness // of the row under way
	unjudged int            // rows
	marks    int            // that agree has made
	lines    []string
}

// newFleet starts servers and clients under load, and returns when every client knows every server.
func newFleet(t *testing.T, servers, clients int) *fleet {
	t.Helper()
	f := &fleet{T: t, cluster: etcdtest.StartCluster(t, 3), servers: map[string]*server{}}
	f.target = fmt.Sprintf("etcd://%s%s?ttl=%v", strings.Join(f.cluster.Addrs(), ","), directory, ttl)
	f.admin = newAdmin(t, f.cluster.Addrs())
	for _, instance := range transporttest.FreeAddresses(t, servers) {
		f.start(instance)
	}
	for range clients {
		f.clients = append(f.clients, newClient(f))
	}
	f.load()
	f.row("none", func() time.Duration { return f.agreed(20 * time.Second) })
	return f
}

// load makes the clients' requests until the end of the test.
func (f *fleet) load() {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	f.Cleanup(func() {
		cancel()
		running.Wait()
		f.calls.Wait()
	})
	for _, c := range f.clients {
		running.Go(func() { c.run(ctx) })
	}
}

// A server is a process.
type server struct {
	cmd    *exec.Cmd
	output bytes.Buffer
}

// start runs a server, and does not wait for it.
func (f *fleet) start(instance string) {
	f.Helper()
	s := &server{cmd: exec.Command(os.Args[0])}
	s.cmd.Env = append(os.Environ(), envTarget+"="+f.target, envInstance+"="+instance)
	s.cmd.Stderr = &s.output
	if err := s.cmd.Start(); err != nil {
		f.Fatal(err)
	}
	f.servers[instance] = s
	f.Cleanup(func() {
		s.kill()
		if f.Failed() {
			f.Logf("%s:\n%s", instance, &s.output)
		}
	})
}

func (s *server) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// kill ends a server as kill -9 does.
func (f *fleet) kill(instance string) {
	f.servers[instance].kill()
	delete(f.servers, instance)
}

// stop ends a server in good order.
func (f *fleet) stop(instance string) {
	f.Helper()
	s := f.servers[instance]
	delete(f.servers, instance)
	s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		f.Errorf("server %s: %v: %s", instance, err, &s.output)
	}
}

// living are the servers that run, sorted.
func (f *fleet) living() []string { return slices.Sorted(maps.Keys(f.servers)) }

// any is one of them.
func (f *fleet) any() string { return f.living()[rand.IntN(len(f.servers))] }

// same wants two sets to be one.
func same(want, have []string) error {
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(want, have) {
		return fmt.Errorf("registered: want %q, have %q", want, have)
	}
	return nil
}
