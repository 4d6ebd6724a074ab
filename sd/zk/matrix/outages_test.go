package matrix

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/zktest"
	"example.com/daytime/transport/transporttest"
)

// TestOutages are the rows about a ZooKeeper that is away, and that take long.
func TestOutages(t *testing.T) {
	needAll(t)
	r := newRig(t, &report{})
	t.Run("partition", func(t *testing.T) { partitionRows(t, r) })
	t.Run("start", func(t *testing.T) { startRows(t, r) })
	t.Run("rolling", func(t *testing.T) { rollingZooKeeperRow(t, r) })
	t.Run("minority", func(t *testing.T) { minorityRow(t, r) })
	t.Run("backup", func(t *testing.T) { backupRow(t, r) })
	t.Logf("load average %s\n%s", loadAverage(), r.report.table())
}

func needAll(t *testing.T) {
	t.Helper()
	if !*runAll {
		t.Skip("needs -matrix.all")
	}
}

// partitionRows are F15 to F17: bytes do not arrive, and nobody is told.
func partitionRows(t *testing.T, r *rig) {
	f := newFleet(t, r, "partition", plan{apart: true})
	forServers, forClients := f.proxies[:3], f.proxies[3:]
	f.row("F15", "clients cut off from ZooKeeper for 3T", func(r *row) {
		stall(forClients)
		hold(3 * sessionTimeout)
		r.quiet()
		heal(forClients)
		r.converged = r.connected(back+slack, anywhere)
		r.agree(slack, r.instances()...)
		r.owned(slack)
	})
	first := []*zktest.Proxy{forServers[0], forClients[0]}
	others := slices.Concat(forServers[1:], forClients[1:])
	onFirst := func(server string) bool {
		return server == first[0].Addr() ||
			server == first[1].Addr()
	}
	for what, d := range map[string]zktest.Direction{"hears nothing": zktest.ToTarget,
		"is not heard": zktest.ToClient} {
		for _, p := range others { // so that everybody is on the first
			p.Refuse()
		}
		f.reset(sessionTimeout, onFirst, others...)
		heal(others)
		f.row("F16", "the ZooKeeper in use "+what, func(r *row) {
			stall(first, d)
			r.converged = r.connected(sessionTimeout, func(server string) bool { return !onFirst(server) })
			heal(first)
			r.lastPings()
		})
	}
	f.agree(removal, f.instances()...)
	f.row("F17", "servers cut off from ZooKeeper for 3T", func(r *row) {
		stall(forServers)
		hold(3 * sessionTimeout)
		r.agree(0) // the registry is right: nobody is registered
		heal(forServers)
		r.converged = r.owned(back + slack)
		r.agree(slack, r.instances()...)
	})
}

func stall(proxies []*zktest.Proxy, directions ...zktest.Direction) {
	for _, p := range proxies {
		p.Stall(directions...)
	}
}

func heal(proxies []*zktest.Proxy) {
	for _, p := range proxies {
		p.Heal()
	}
}

// startRows are F11 and F12: ZooKeeper is away when a program starts.
func startRows(t *testing.T, r *rig) {
	f := newFleet(t, r, "start", plan{})
	file := filepath.Join(t.TempDir(), "snapshot")
	first := f.open(sd.Snapshot(file, f.target))
	if err := first.ask(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	first.close()
	f.row("F11", "client starts without ZooKeeper", func(r *row) {
		r.cut()
		with, without := r.open(sd.Snapshot(file, r.target)), r.open()
		begun := time.Now()
		if err := with.ask(time.Second); err != nil {
			r.Errorf("want an answer from the snapshot, have %v", err)
		}
		r.note("with a snapshot %v, %s", short(time.Since(begun)), with.view.State().Phase)
		if err := without.ask(2 * time.Second); err == nil {
			r.Error("want an error without a snapshot")
		}
		r.heal()
		r.converged = r.await(r, 5*time.Second,
			func() error { return without.ask(100 * time.Millisecond) })
		r.owned(back)
	})
	f.row("F12", "server starts without ZooKeeper", func(r *row) {
		r.cut()
		s := r.serve(transporttest.FreeAddress(r))
		if answer, err := say(s.instance, ""); err != nil || answer == "" {
			r.Errorf("want an answer from a server that is not registered, have %q, %v", answer, err)
		}
		r.heal()
		r.converged = r.owned(back)
		r.agree(slack, r.instances()...)
	})
}

// rollingZooKeeperRow is F10: each ZooKeeper in turn is restarted, twenty times in all, and servers
// come and go meanwhile.
func rollingZooKeeperRow(t *testing.T, r *rig) {
	f := newFleet(t, r, "rolling", plan{})
	f.row("F10", "rolling restart of ZooKeeper, 20 times, a change in each", func(r *row) {
		for n := range 20 {
			member := r.Servers()[n%3]
			member.Kill(r)
			guest := r.serve(transporttest.FreeAddress(r))
			r.converged = max(r.converged, r.agree(5*time.Second, r.instances()...))
			member.Launch(r)
			member.Await(r)
			if err := guest.close(0); err != nil {
				r.Error(err)
			}
			r.servers = r.servers[:len(r.servers)-1]
			r.converged = max(r.converged, r.agree(5*time.Second, r.instances()...))
		}
		for i, c := range r.clients {
			if n := c.backend.Stats().Repaired; n > 0 {
				r.Errorf("want nothing missed by client %d, have %d", i, n)
			}
		}
		r.owned(slack)
	})
}

// minorityRow is F18: one ZooKeeper of three is left, and refuses.
func minorityRow(t *testing.T, r *rig) {
	f := newFleet(t, r, "minority", plan{})
	f.row("F18", "two of three ZooKeepers killed for 3T", func(r *row) {
		r.Servers()[0].Kill(r)
		r.Servers()[1].Kill(r)
		hold(3 * sessionTimeout)
		r.quiet()
		r.Servers()[0].Launch(r)
		r.Servers()[1].Launch(r)
		r.Await(r)
		r.converged = r.owned(back)
		r.agree(slack, r.instances()...)
	})
}

// backupRow is F14: ZooKeeper comes back with the data of yesterday.
func backupRow(t *testing.T, r *rig) {
	f := newFleet(t, r, "backup", plan{})
	f.row("F14", "ZooKeeper restored from a backup", func(r *row) {
		r.Kill(r)
		backups := r.backUp()
		r.launch()
		r.owned(back)
		for n := range 200 { // what the backup does not know of
			_, err := r.admin.Create(fmt.Sprintf("/later%d", n), nil, 0, gozk.WorldACL(gozk.PermAll))
			if err != nil {
				r.Fatal(err)
			}
		}
		r.Kill(r)
		r.restore(backups)
		r.launch()
		r.connect(r)
		r.converged = r.owned(back)
		r.agree(slack, r.instances()...)
		if there, _, err := r.admin.Exists("/later0"); there || err != nil {
			r.Errorf("want the backup's data, have %v, %v", there, err)
		}
	})
}

// backUp copies the data of all servers, which are down.
func (r *row) backUp() (dirs []string) {
	r.Helper()
	for i, s := range r.Servers() {
		dir := filepath.Join(r.TempDir(), fmt.Sprint(i))
		if err := os.CopyFS(dir, os.DirFS(s.DataDir())); err != nil {
			r.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

// restore puts backups in the place of the data.
func (r *row) restore(backups []string) {
	r.Helper()
	for i, s := range r.Servers() {
		if err := errors.Join(os.RemoveAll(s.DataDir()),
			os.CopyFS(s.DataDir(), os.DirFS(backups[i]))); err != nil {
			r.Fatal(err)
		}
	}
}
