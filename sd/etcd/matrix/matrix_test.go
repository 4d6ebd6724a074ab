package matrix

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A fleet goes through every fault without a failed request, the truth is known again in bounded
// time, the dead are gone in time, and nothing of a stranger's is removed.
func TestFaults(t *testing.T) {
	if !*runMatrix {
		t.Skip("takes two minutes: want -matrix")
	}
	f := newFleet(t, 5, 10)
	defer func() {
		t.Logf("\n%-58s %6s %6s %9s %8s\n%s\n%d rows not judged by the clock: the machine was too busy",
			"fault", "asked", "failed", "agreed in", "late", strings.Join(f.lines, "\n"), f.unjudged)
	}()
	f.ofMembers()
	f.ofEntries()
	f.ofServers()
}

// ofMembers are the faults of the cluster.
func (f *fleet) ofMembers() {
	f.row("the leader killed, and started again", func() time.Duration {
		f.cluster.Leader(f.T).Kill(f.T)
		took := f.agreed(10 * time.Second)
		f.cluster.Launch(f.T)
		f.agreed(10 * time.Second)
		return took
	})
	f.row("one after the other restarted", func() time.Duration {
		for _, m := range f.cluster.Members() {
			m.Restart(f.T)
		}
		return f.agreed(10 * time.Second)
	})
	f.row("all killed and started again", func() time.Duration {
		f.cluster.Restart(f.T)
		return f.agreed(10 * time.Second)
	})
	f.row("all frozen for three ttl", func() time.Duration {
		f.cluster.Freeze(f.T)
		time.Sleep(3 * ttl)
		f.cluster.Thaw(f.T)
		return f.agreed(15 * time.Second)
	})
	f.ofMinorities()
	f.row("data wiped", func() time.Duration {
		f.cluster.Wipe(f.T)
		f.cluster.Restart(f.T)
		return f.agreed(15 * time.Second)
	})
	f.row("compacted after each of many changes", f.compact)
}

// ofMinorities are the faults of one member, which holds clients and answers them.
func (f *fleet) ofMinorities() {
	f.row("one frozen for three ttl", func() time.Duration {
		m := f.cluster.Leader(f.T)
		m.Freeze(f.T)
		begun := time.Now()
		took := f.agreed(10 * time.Second)
		time.Sleep(3*ttl - time.Since(begun))
		m.Thaw(f.T)
		f.agreed(10 * time.Second)
		return took
	})
	f.row("the leader cut off from the others, its clients connected", func() time.Duration {
		f.cluster.Isolate(f.cluster.Leader(f.T))
		took := f.agreed(10 * time.Second)
		time.Sleep(2 * ttl)
		f.agreed(0)
		f.cluster.Rejoin()
		f.agreed(20 * time.Second)
		return took
	})
}

// compact takes the history away from under every watch.
func (f *fleet) compact() time.Duration {
	f.Helper()
	for n := range 50 {
		key := fmt.Sprintf("%s127.0.4.%d:9", directory, n+1)
		_, err := f.admin[0].Put(f.Context(), key, "")
		if err != nil {
			f.Fatal(err)
		}
		done, err := f.admin[0].Delete(f.Context(), key)
		if err == nil {
			_, err = f.admin[0].Compact(f.Context(), done.Header.Revision)
		}
		if err != nil {
			f.Fatal(err)
		}
	}
	return f.agreed(10 * time.Second)
}

// ofEntries are what people do to the directory's contents.
func (f *fleet) ofEntries() {
	f.row("a lease revoked by hand", func() time.Duration {
		instance := f.any()
		return f.again(instance, f.revoke(instance))
	})
	f.row("a key deleted by hand", func() time.Duration {
		instance := f.any()
		f.await(0, func() error { return f.admin.remove(instance) })
		return f.again(instance, 0)
	})
	f.row("a key overwritten by a stranger, and given back", func() time.Duration {
		instance := f.any()
		f.await(0, func() error { return f.admin.put(instance, "mine") })
		time.Sleep(2 * ttl)
		if entry, err := f.admin.entry(instance); err != nil || string(entry.Value) != "mine" {
			f.Fatalf("want the stranger's key untouched, have %v, %v", entry, err)
		}
		f.agreed(0)
		f.await(0, func() error { return f.admin.remove(instance) })
		return f.again(instance, 0)
	})
	f.row("every lease revoked at once", func() time.Duration {
		for _, instance := range f.living() {
			f.revoke(instance)
		}
		return f.agreed(5 * time.Second)
	})
}

// ofServers are the faults of the servers themselves.
func (f *fleet) ofServers() {
	f.row("a server killed and started again at once", f.killAndStart)
	f.row("a server killed: gone after its ttl, + 2 s at most", func() time.Duration {
		instance, term := f.any(), f.admin.term()
		f.kill(instance)
		took := f.gone(ttl+2*time.Second, instance, term)
		f.start(instance)
		f.agreed(10 * time.Second)
		return took
	})
	f.row("a server and the leader killed: one ttl more at most", func() time.Duration {
		instance, leader := f.any(), f.cluster.Leader(f.T)
		begun := time.Now()
		f.kill(instance)
		leader.Kill(f.T)
		f.cluster.Leader(f.T) // is elected
		f.gone(ttl+2*time.Second, instance, f.admin.term())
		took := time.Since(begun)
		f.cluster.Launch(f.T)
		f.start(instance)
		f.agreed(10 * time.Second)
		return took
	})
	f.row("a server stopped, as a deploy does", f.deploy)
	f.row("every server restarted, one after the other", func() time.Duration {
		begun := time.Now()
		for _, instance := range f.living() {
			f.stop(instance)
			f.start(instance)
			f.agreed(5 * time.Second)
		}
		return time.Since(begun)
	})
}

// killAndStart has the old lease end, and take nothing along.
func (f *fleet) killAndStart() time.Duration {
	f.Helper()
	instance := f.any()
	before := f.lease(instance)
	f.kill(instance)
	f.start(instance)
	took := f.again(instance, before)
	for _, c := range f.clients {
		c.view.Mark()
	}
	taken := f.lease(instance)
	time.Sleep(2 * ttl)
	f.agreed(0)
	if f.late(f.lateness.Worst()) || f.lease(instance) != taken {
		return took // it may have lost the new lease, too
	}
	for n, c := range f.clients {
		if _, lost := c.view.Departed(); slices.Contains(lost, instance) {
			f.Errorf("client %d: want %s kept when its old lease ends, have it lost", n, instance)
		}
	}
	return took
}

// deploy has a server leave on purpose, and clients know that it did.
func (f *fleet) deploy() time.Duration {
	f.Helper()
	instance := f.any()
	lists := make([]int64, len(f.clients))
	for n, c := range f.clients {
		lists[n] = c.backend.Stats().Lists
		c.view.Mark()
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		f.stop(instance)
	}()
	took := f.gone(time.Second, instance, 0)
	<-stopped
	for n, c := range f.clients {
		if c.backend.Stats().Lists > lists[n] {
			continue // a list between the two events leaves it in doubt
		}
		if withdrew, lost := c.view.Departed(); len(withdrew) != 1 || len(lost) > 0 {
			f.Errorf("client %d: want %s withdrawn, have %q, and %q lost", n, instance, withdrew, lost)
		}
	}
	f.start(instance)
	f.agreed(10 * time.Second)
	return took
}
