package matrix

import (
	"errors"
	"fmt"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/zktest"
)

// TestBursts is E and F of the measured peers: many subscribers of which one does not read, and
// changes that follow each other closely.
func TestBursts(t *testing.T) {
	if !*runPeers {
		t.Skip("needs -matrix.peers")
	}
	server := zktest.Start(t)
	var table []string
	for _, library := range []string{ours, gokits} {
		t.Run(library, func(t *testing.T) {
			table = append(table, crowd(t, server, library))
			table = append(table, burst(t, server, library))
		})
	}
	for _, line := range table {
		t.Log(line)
	}
	t.Logf("load average %s", loadAverage())
}

// A driver makes the nodes that both libraries understand: the name and the data are the instance.
type driver struct {
	*testing.T
	admin *gozk.Conn
	path  string
	size  int // nodes there are
}

func newDriver(t *testing.T, server *zktest.Server, path string, size int) *driver {
	t.Helper()
	d := &driver{T: t, admin: dialAdmin(t, []string{server.Addr()}), path: path}
	for _, p := range []string{path, path + "/" + serviceName} {
		if _, err := d.admin.Create(p, nil, 0, gozk.WorldACL(gozk.PermAll)); err != nil {
			t.Fatal(err)
		}
	}
	d.path += "/" + serviceName
	for range size {
		d.add()
	}
	return d
}

func (d *driver) instance(n int) string { return fmt.Sprintf("192.0.%d.%d:1", n/250, n%250+1) }

func (d *driver) add() {
	d.Helper()
	instance := d.instance(d.size)
	_, err := d.admin.Create(d.path+"/"+instance, []byte(instance), 0, gozk.WorldACL(gozk.PermAll))
	if err != nil {
		d.Fatal(err)
	}
	d.size++
}

func (d *driver) drop() {
	d.Helper()
	d.size--
	if err := d.admin.Delete(d.path+"/"+d.instance(d.size), -1); err != nil {
		d.Fatal(err)
	}
}

// crowd counts, for each of 15 changes, how many of 49 reading subscribers get it within 1.5 s,
// while number 50 does not read.
func crowd(t *testing.T, server *zktest.Server, library string) string {
	const readers, changes = 49, 15
	d := newDriver(t, server, "/crowd-"+library, 100)
	c := startChild(t, roleCrowd+library, targetText([]string{server.Addr()}, d.path, sessionTimeout),
		"")
	reached := func() (n int) {
		latest := map[int]int{}
		for _, e := range c.events(t) {
			latest[e.subscriber] = e.size
		}
		for _, size := range latest {
			if size == d.size {
				n++
			}
		}
		return n
	}
	all := func() error {
		if reached() < readers {
			return errors.New("not all")
		}
		return nil
	}
	wait.Until(10*time.Second, all) // go-kit's may never be complete
	worst, total := readers, 0
	for range changes {
		d.add()
		wait.Until(1500*time.Millisecond, all)
		n := reached()
		worst, total = min(worst, n), total+n
	}
	if library == ours && worst < readers {
		t.Errorf("E: want all %d readers told of each change, have %d of one", readers, worst)
	}
	return fmt.Sprintf("E  %-7s 49 readers, one subscriber that does not read: "+
		"%d of %d told of the worst of %d changes, %.1f on average",
		library, worst, readers, changes, float64(total)/changes)
}

// burst makes 20 changes 5 ms apart at 1000 nodes, ten times, and wants the watcher at the truth.
func burst(t *testing.T, server *zktest.Server, library string) string {
	const rounds, changes = 5, 20
	d := newDriver(t, server, "/burst-"+library, 1000)
	c := startChild(t, roleWatch+library, targetText([]string{server.Addr()}, d.path, sessionTimeout),
		"")
	last := func() (e event) {
		if events := c.events(t); len(events) > 0 {
			e = events[len(events)-1]
		}
		return e
	}
	right := func() error {
		if have := last(); have.size != d.size {
			return fmt.Errorf("want %d, have %d", d.size, have.size)
		}
		return nil
	}
	wait.For(t, 10*time.Second, right)
	before, wrong := len(c.events(t)), 0
	var latest [2]time.Duration
	for range rounds {
		for i, change := range []func(){d.add, d.drop} {
			for range changes {
				change()
				hold(5 * time.Millisecond)
			}
			acknowledged := time.Now().Add(-5 * time.Millisecond)
			if _, err := wait.Until(5*time.Second, right); err != nil {
				wrong++
			}
			latest[i] = max(latest[i], last().at.Sub(acknowledged))
		}
	}
	if library == ours && wrong > 0 {
		t.Errorf("F: want the truth after every burst, have %d of %d wrong", wrong, 2*rounds)
	}
	return fmt.Sprintf("F  %-7s 20 changes 5 ms apart at 1000 nodes: wrong after %d of %d bursts; "+
		"worst %v after the last create, %v after the last delete; %d lists told",
		library, wrong, 2*rounds, short(latest[0]), short(latest[1]), len(c.events(t))-before)
}
