package zk_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/sd/zk/zktest"
	gozk "github.com/go-zookeeper/zk"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble is the surroundings of a test whose server is in memory.
func bubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

// realTime is the surroundings of a test whose server is a process.
func realTime(t *testing.T, f func(t *testing.T)) { f(t) }

// memory is a directory on a zkdev server, reached without a network.
type memory struct {
	*zkdev.Server
	target sd.Target
}

func newMemory(t testing.TB, text string) *memory {
	server := zkdev.New()
	t.Cleanup(func() { server.Close() })
	if err := server.Create("/go_servers", nil, 0); err != nil {
		t.Fatal(err)
	}
	return &memory{server, sdtest.Target(t, text)}
}

func (m *memory) Open() (sd.Backend, error) { return zk.OpenBackend(m.target, zk.Dial(m.Dial)) }
func (m *memory) Settle()                   { synctest.Wait() }
func (m *memory) Fail() error               { m.Refuse(true); m.Disconnect(); return nil }
func (m *memory) Restore() error            { m.Refuse(false); return nil }

func (m *memory) Put(instance string) error {
	m.Delete("/go_servers/" + instance) // hands it over, if it is there
	return m.Create("/go_servers/"+instance, nil, 0)
}

func (m *memory) Remove(instance string) error { return m.Delete("/go_servers/" + instance) }

func (m *memory) Instances() ([]string, error) { return m.Children("/go_servers") }

// Lacks says that lists do not tell how a server left.
func (m *memory) Lacks() sdtest.Lacks  { return lacks(m.target) }
func (p *process) Lacks() sdtest.Lacks { return lacks(p.target) }

func lacks(t sd.Target) sdtest.Lacks {
	return sdtest.Lacks{Withdrew: t.Keys["watch"] == "children"}
}

func TestConformanceInMemory(t *testing.T) {
	for _, mode := range []string{"persistent", "children"} {
		t.Run(mode, func(t *testing.T) {
			sdtest.Run(t, bubble, func(t testing.TB) sdtest.Harness {
				return newMemory(t, "zk://zookeeper.example.com?watch="+mode)
			})
		})
	}
}

// process is a directory of its own on a real server, reached through a proxy.
type process struct {
	proxy  *zktest.Proxy
	conn   *gozk.Conn // another program
	path   string
	target sd.Target
}

func newProcess(t testing.TB, server *zktest.Server, path, query string) *process {
	proxy := zktest.NewProxy(t, server.Addr())
	conn, events, err := gozk.Connect([]string{server.Addr()}, 10*time.Second,
		gozk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		for range events {
		}
	})
	if _, err := conn.Create(path, nil, 0, gozk.WorldACL(gozk.PermAll)); err != nil {
		t.Fatal(err)
	}
	return &process{proxy, conn, path, sdtest.Target(t, "zk://"+proxy.Addr()+path+query)}
}

func (p *process) Open() (sd.Backend, error) { return zk.Open(p.target) }
func (p *process) Settle()                   { <-time.After(10 * time.Millisecond) }
func (p *process) Fail() error               { p.proxy.Refuse(); p.proxy.Cut(); return nil }
func (p *process) Restore() error            { p.proxy.Heal(); return nil }

func (p *process) Put(instance string) error {
	create := &gozk.CreateRequest{
		Path:  p.path + "/" + instance,
		Acl:   gozk.WorldACL(gozk.PermAll),
		Flags: gozk.FlagEphemeral,
	}
	_, err := p.conn.Multi(create)
	if errors.Is(err, gozk.ErrNodeExists) {
		_, err = p.conn.Multi(&gozk.DeleteRequest{Path: create.Path, Version: -1}, create)
	}
	return err
}

func (p *process) Remove(instance string) error { return p.conn.Delete(p.path+"/"+instance, -1) }

func (p *process) Instances() ([]string, error) {
	names, _, err := p.conn.Children(p.path)
	return names, err
}

func TestConformanceOnZooKeeper(t *testing.T) {
	server := zktest.Start(t)
	var paths atomic.Int64
	for _, mode := range []string{"auto", "children"} {
		t.Run(mode, func(t *testing.T) {
			sdtest.Run(t, realTime, func(t testing.TB) sdtest.Harness {
				return newProcess(t, server, fmt.Sprintf("/directory%d", paths.Add(1)), "?watch="+mode)
			})
		})
	}
}
