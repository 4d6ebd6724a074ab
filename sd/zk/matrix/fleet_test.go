package matrix

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"
	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zktest"
	"example.com/daytime/service"
	"example.com/daytime/transport/transporttest"
)

// A fleet is servers and clients with a directory of their own, and proxies of their own in front
// of the ensemble. Its test drives it.
type fleet struct {
	*testing.T
	*rig
	plan
	directory    string
	target       sd.Target
	clientTarget sd.Target
	proxies      []*zktest.Proxy
	servers      []*server // in this process
	children     []*child  // in processes of their own
	clients      []*client
	taps         []*tap
	tally        *tally
	drainedName  string            // the server that the policy drains
	versions     map[string]string // what servers say of themselves
}

// A plan is how a fleet differs from the usual one.
type plan struct {
	processes bool          // servers are child processes
	timeout   time.Duration // of sessions, sessionTimeout if 0
	apart     bool          // clients have proxies of their own
	query     string        // more of the target
	slow      bool          // servers have a slow handler
}

// newFleet starts serverCount servers and clientCount clients under load, and returns when every
// client knows every server.
func newFleet(t *testing.T, r *rig, name string, p plan) *fleet {
	t.Helper()
	f := &fleet{T: t, rig: r, plan: p, directory: "/" + name, tally: newTally(),
		versions: map[string]string{}}
	if f.timeout == 0 {
		f.timeout = sessionTimeout
	}
	f.target = f.newTarget()
	for _, instance := range transporttest.FreeAddresses(t, serverCount) {
		if p.processes {
			f.spawn(instance)
		} else {
			f.serve(instance)
		}
	}
	f.clientTarget = f.target
	if p.apart {
		f.clientTarget = f.newTarget()
	}
	for range clientCount {
		f.join()
	}
	f.agree(10*time.Second, f.instances()...)
	if f.steered {
		f.steer()
	}
	f.load()
	return f
}

// newTarget puts a proxy in front of each ZooKeeper and returns the target behind them.
func (f *fleet) newTarget() sd.Target {
	f.Helper()
	var addrs []string
	for _, addr := range f.Addrs() {
		p := zktest.NewProxy(f, addr)
		f.proxies = append(f.proxies, p)
		addrs = append(addrs, p.Addr())
	}
	return sdtest.Target(f, targetText(addrs, f.directory, f.timeout)+f.query)
}

// serve adds a server in this process.
func (f *fleet) serve(instance string) *server {
	f.Helper()
	svc := service.New(instance)
	if f.slow {
		svc = slow{svc}
	}
	s, err := startServer(f.target, instance, svc, kitlog.NewNopLogger(),
		ofVersion(f.version(len(f.servers), instance)))
	if err != nil {
		f.Fatal(err)
	}
	f.servers, f.taps = append(f.servers, s), append(f.taps, s.tap)
	f.Cleanup(func() { s.close(0) })
	return s
}

// spawn adds a server as a process.
func (f *fleet) spawn(instance string) *child {
	f.Helper()
	version := f.version(len(f.children), instance)
	c := startChild(f, roleServer, f.target.String(), instance, versionVariable+"="+version)
	f.children = append(f.children, c)
	return c
}

// respawn starts the process of child i again.
func (f *fleet) respawn(i int) *child {
	f.Helper()
	instance := f.children[i].instance
	c := startChild(f, roleServer, f.target.String(), instance,
		versionVariable+"="+f.versions[instance])
	f.children[i] = c
	return c
}

// join adds a client.
func (f *fleet) join() *client {
	f.Helper()
	c, err := openClient(f.clientTarget, f.tally, f.clientOptions()...)
	if err != nil {
		f.Fatal(err)
	}
	f.clients, f.taps = append(f.clients, c), append(f.taps, c.tap)
	f.Cleanup(c.close)
	return c
}

// open opens a client that is no part of the load.
func (f *fleet) open(options ...sd.InstancerOption) *client {
	f.Helper()
	c, err := openClient(f.target, newTally(), options...)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(c.close)
	return c
}

// load makes the clients' requests until the end of the test.
func (f *fleet) load() {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, c := range f.clients {
		running.Go(func() { c.run(ctx) })
	}
	f.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// instances are the addresses of all servers.
func (f *fleet) instances() (list []string) {
	for _, s := range f.servers {
		list = append(list, s.instance)
	}
	for _, c := range f.children {
		list = append(list, c.instance)
	}
	return list
}

// without is instances less one.
func (f *fleet) without(instance string) []string {
	return slices.DeleteFunc(f.instances(), func(s string) bool { return s == instance })
}

// agree returns how long it took until every client's list was want.
func (f *fleet) agree(bound time.Duration, want ...string) time.Duration {
	f.Helper()
	return f.await(f, bound, func() error {
		for i, c := range f.clients {
			if err := c.view.Is(want...); err != nil {
				return fmt.Errorf("client %d: %w; %v", i, err, c.view.State())
			}
		}
		return nil
	})
}

// owned returns how long it took until the node of every server in this process belonged to its
// present session.
func (f *fleet) owned(bound time.Duration) time.Duration {
	f.Helper()
	return f.await(f, bound, func() error {
		for _, s := range f.servers {
			there, stat, err := f.admin.Exists(f.directory + "/" + s.instance)
			switch session := s.backend.Stats().Session; {
			case err != nil:
				return err
			case !there:
				return fmt.Errorf("%s is not registered: %v", s.instance, s.registrar.State())
			case stat.EphemeralOwner != session || session == 0:
				return fmt.Errorf("%s belongs to session 0x%x, its own is 0x%x", s.instance,
					stat.EphemeralOwner, session)
			}
		}
		return nil
	})
}

// backends are all that this process has open.
func (f *fleet) backends() (list []*zk.Backend) {
	for _, s := range f.servers {
		list = append(list, s.backend)
	}
	for _, c := range f.clients {
		list = append(list, c.backend)
	}
	return list
}

// connected returns how long it took until every backend had a session, on a server that ok
// accepts.
func (f *fleet) connected(bound time.Duration, ok func(server string) bool) time.Duration {
	f.Helper()
	return f.await(f, bound, func() error {
		for i, b := range f.backends() {
			if s := b.Stats(); s.Session == 0 || !ok(s.Server) {
				return fmt.Errorf("backend %d has session 0x%x on %q", i, s.Session, s.Server)
			}
		}
		return nil
	})
}

// reset ends the connections through proxies and returns how long it took until everybody was
// connected again.
func (f *fleet) reset(
	bound time.Duration, ok func(server string) bool, proxies ...*zktest.Proxy,
) time.Duration {
	f.Helper()
	begun := time.Now()
	for _, p := range proxies {
		p.Reset()
	}
	hold(50 * time.Millisecond) // until everybody has noticed
	f.connected(bound, ok)
	return time.Since(begun)
}

// anywhere accepts every server.
func anywhere(string) bool { return true }

// each applies do to every proxy.
func (f *fleet) each(do func(*zktest.Proxy)) {
	for _, p := range f.proxies {
		do(p)
	}
}

// cut takes the way to ZooKeeper from everybody, until heal.
func (f *fleet) cut() {
	f.each((*zktest.Proxy).Refuse)
	f.each((*zktest.Proxy).Reset)
}

func (f *fleet) heal() { f.each((*zktest.Proxy).Heal) }

// put makes a node in the directory that is no server of the fleet.
func (f *fleet) put(name string) {
	f.Helper()
	f.await(f, 5*time.Second, func() error {
		_, err := f.admin.Create(f.directory+"/"+name, nil, 0, gozk.WorldACL(gozk.PermAll))
		if errors.Is(err, gozk.ErrNodeExists) { // by an attempt that was not answered
			err = nil
		}
		return err
	})
}

// remove deletes a node of the directory.
func (f *fleet) remove(name string) {
	f.Helper()
	f.await(f, 5*time.Second, func() error {
		err := f.admin.Delete(f.directory+"/"+name, -1)
		if errors.Is(err, gozk.ErrNoNode) {
			err = nil
		}
		return err
	})
}
