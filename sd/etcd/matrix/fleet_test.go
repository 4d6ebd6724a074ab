package matrix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/endpoint"
	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd"
	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/lb"
	"example.com/daytime/transport"
	kitendpoint "github.com/go-kit/kit/endpoint"
	kitlog "github.com/go-kit/log"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const (
	directory    = "/go_servers/"
	ttl          = 2 * time.Second
	requestEvery = 20 * time.Millisecond
)

// A fleet is the servers and clients of a cluster.
type fleet struct {
	*testing.T
	cluster *etcdtest.Cluster
	target  string
	admin   *clientv3.Client
	servers map[string]*server
	clients []*client
	failed  atomic.Int64
	asked   atomic.Int64
	why     atomic.Pointer[error]
	lines   []string
}

func newFleet(t *testing.T, servers, clients int) *fleet {
	f := &fleet{T: t, cluster: etcdtest.StartCluster(t, 3), servers: map[string]*server{}}
	f.target = fmt.Sprintf("etcd://%s%s?ttl=%v", strings.Join(f.cluster.Addrs(), ","), directory, ttl)
	f.admin = connect(t, f.cluster.Addrs()...)
	for range servers {
		f.start(freeAddress(t))
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	for range clients {
		c := newClient(f)
		f.clients = append(f.clients, c)
		running.Go(func() { c.run(ctx) })
	}
	f.agree(20*time.Second, f.living()...)
	return f
}

// connect is a client of etcd's own.
func connect(t testing.TB, addrs ...string) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: addrs, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// freeAddress is one below the ports that systems lend to outgoing connections, so that it stays
// free while its server is down.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)))
		if err == nil {
			l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
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

// A client is a backend, and the list and the balancer on top of it.
type client struct {
	fleet     *fleet
	backend   *etcd.Backend
	instancer *sd.Instancer
	pool      *lb.Pool
	call      kitendpoint.Endpoint
	unfollow  func()

	mu       sync.Mutex
	withdrew map[string]bool
}

func newClient(f *fleet) *client {
	f.Helper()
	target, err := sd.ParseTarget(f.target)
	if err != nil {
		f.Fatal(err)
	}
	c := &client{fleet: f, withdrew: map[string]bool{}}
	if c.backend, err = etcd.OpenBackend(target); err != nil {
		f.Fatal(err)
	}
	c.instancer = sd.NewInstancer(c.backend, kitlog.NewNopLogger())
	c.unfollow = c.instancer.Follow(func(change sd.Change) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, name := range change.Withdrew {
			c.withdrew[name] = true
		}
	})
	c.pool = lb.NewPool(c.instancer, transport.Factory(), kitlog.NewNopLogger())
	c.call = lb.Retry(c.pool, lb.LeastLoaded{}, lb.Idempotent())
	f.Cleanup(func() {
		c.pool.Close()
		c.unfollow()
		c.instancer.Stop()
		c.backend.Close()
	})
	return c
}

// run makes requests until ctx is done, one every 20 ms whatever became of those before.
func (c *client) run(ctx context.Context) {
	var calls sync.WaitGroup
	defer calls.Wait()
	if err := c.instancer.Await(ctx); err != nil {
		return
	}
	ticker := time.NewTicker(requestEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			calls.Go(func() {
				c.fleet.asked.Add(1)
				if _, err := c.call(context.Background(), endpoint.DaytimeRequest{}); err != nil {
					c.fleet.failed.Add(1)
					c.fleet.why.Store(&err)
				}
			})
		}
	}
}

// has reports whether an instance is on the client's list.
func (c *client) has(instance string) bool { return slices.Contains(c.instancer.Instances(), instance) }

// differs says why not everybody knows that want, which is sorted, is the truth.
func (f *fleet) differs(want []string) error {
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(context.Background()), time.Second)
	defer cancel()
	got, err := f.admin.Get(ctx, directory, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return err
	}
	var registered []string
	for _, kv := range got.Kvs {
		registered = append(registered, strings.TrimPrefix(string(kv.Key), directory))
	}
	if !slices.Equal(want, slices.Sorted(slices.Values(registered))) {
		return fmt.Errorf("want registered %q, have %q", want, registered)
	}
	for n, c := range f.clients {
		if s := c.instancer.State(); s.Phase != sd.Live {
			return fmt.Errorf("client %d: want %s, have %v", n, sd.Live, s)
		}
		if have := c.instancer.Instances(); !slices.Equal(want, have) {
			return fmt.Errorf("client %d: want %q, have %q", n, want, have)
		}
	}
	return nil
}

// agree waits until everybody knows the truth, and returns how long that took.
func (f *fleet) agree(bound time.Duration, want ...string) time.Duration {
	f.Helper()
	return f.await(bound, func() error { return f.differs(want) })
}

func (f *fleet) await(bound time.Duration, check func() error) time.Duration {
	f.Helper()
	begun := time.Now()
	for {
		err := check()
		if err == nil {
			return time.Since(begun)
		}
		if time.Since(begun) > bound {
			f.Fatalf("after %v: %v", bound, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// gone waits until nobody has an instance on the list.
func (f *fleet) gone(bound time.Duration, instance string) time.Duration {
	f.Helper()
	return f.await(bound, func() error {
		for n, c := range f.clients {
			if c.has(instance) {
				return fmt.Errorf("client %d still has %s", n, instance)
			}
		}
		return nil
	})
}

// row runs one fault. Do returns how long it took until the truth was known again.
func (f *fleet) row(fault string, do func() time.Duration) {
	f.Helper()
	asked, failed := f.asked.Load(), f.failed.Load()
	took := do()
	time.Sleep(200 * time.Millisecond) // for the requests under way
	failed = f.failed.Load() - failed
	f.lines = append(f.lines, fmt.Sprintf("%-58s %6d %6d %8.2fs",
		fault, f.asked.Load()-asked, failed, took.Seconds()))
	if failed > 0 {
		f.Errorf("%s: want no request failed, have %d, such as %v", fault, failed, *f.why.Load())
	}
}

// lease is that of an entry.
func (f *fleet) lease(instance string) (clientv3.LeaseID, error) {
	got, err := f.admin.Get(f.Context(), directory+instance)
	if err == nil && len(got.Kvs) == 0 {
		err = errors.New("not registered")
	}
	if err != nil {
		return 0, err
	}
	return clientv3.LeaseID(got.Kvs[0].Lease), nil
}
