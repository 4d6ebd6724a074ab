package matrix

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// A fleet goes through every fault without a failed request, the truth is known again in bounded
// time, the dead are gone in time, and nothing of a stranger's is removed.
func TestFaults(t *testing.T) {
	if !*runMatrix {
		t.Skip("takes two minutes: want -matrix")
	}
	f := newFleet(t, 5, 10)
	defer func() {
		t.Logf("\n%-58s %6s %6s %9s\n%s", "fault", "asked", "failed", "agreed in", strings.Join(f.lines, "\n"))
	}()
	f.ofMembers()
	f.ofEntries()
	f.ofServers()
}

// agreed is agree after a fault that changes nothing.
func (f *fleet) agreed(bound time.Duration) time.Duration {
	f.Helper()
	return f.agree(bound, f.living()...)
}

func (f *fleet) ofMembers() {
	f.row("the leader killed", func() time.Duration {
		f.cluster.Leader(f.T).Kill(f.T)
		return f.agreed(10 * time.Second)
	})
	f.row("… and started again", func() time.Duration {
		for _, m := range f.cluster.Members() {
			if m.PID() == 0 {
				m.Launch(f.T)
				m.Await(f.T)
			}
		}
		return f.agreed(10 * time.Second)
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
	f.row("one frozen for three ttl", func() time.Duration {
		m := f.cluster.Leader(f.T)
		m.Freeze(f.T)
		begun := time.Now()
		f.agreed(10 * time.Second)
		took := time.Since(begun)
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
	f.row("data wiped", func() time.Duration {
		f.cluster.Wipe(f.T)
		f.cluster.Restart(f.T)
		return f.agreed(15 * time.Second)
	})
	f.row("compacted after each of many changes", func() time.Duration {
		for n := range 50 {
			key := fmt.Sprintf("%s192.0.2.1:%d", directory, n+1)
			if _, err := f.admin.Put(f.Context(), key, ""); err != nil {
				f.Fatal(err)
			}
			done, err := f.admin.Delete(f.Context(), key)
			if err == nil {
				_, err = f.admin.Compact(f.Context(), done.Header.Revision)
			}
			if err != nil {
				f.Fatal(err)
			}
		}
		return f.agreed(10 * time.Second)
	})
}

func (f *fleet) ofEntries() {
	f.row("a lease revoked by hand", func() time.Duration {
		instance := f.any()
		lease, err := f.lease(instance)
		if err == nil {
			_, err = f.admin.Revoke(f.Context(), lease)
		}
		if err != nil {
			f.Fatal(err)
		}
		return f.again(instance, lease)
	})
	f.row("a key deleted by hand", func() time.Duration {
		instance := f.any()
		if _, err := f.admin.Delete(f.Context(), directory+instance); err != nil {
			f.Fatal(err)
		}
		return f.again(instance, 0)
	})
	f.row("a key overwritten by a stranger, and given back", func() time.Duration {
		instance := f.any()
		if _, err := f.admin.Put(f.Context(), directory+instance, "mine"); err != nil {
			f.Fatal(err)
		}
		time.Sleep(2 * ttl)
		got, err := f.admin.Get(f.Context(), directory+instance)
		if err != nil || len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "mine" {
			f.Fatalf("want the stranger's key untouched, have %v, %v", got, err)
		}
		f.agreed(0)
		if _, err := f.admin.Delete(f.Context(), directory+instance); err != nil {
			f.Fatal(err)
		}
		return f.again(instance, 0)
	})
}

// again waits until an instance is registered with another lease than before.
func (f *fleet) again(instance string, before clientv3.LeaseID) time.Duration {
	f.Helper()
	begun := time.Now()
	f.await(5*time.Second, func() error {
		lease, err := f.lease(instance)
		if err == nil && (lease == 0 || lease == before) {
			err = errors.New("not registered again")
		}
		return err
	})
	f.agreed(5 * time.Second)
	return time.Since(begun)
}

func (f *fleet) ofServers() {
	f.row("a server killed and started again at once", func() time.Duration {
		instance := f.any()
		before, err := f.lease(instance)
		if err != nil {
			f.Fatal(err)
		}
		f.kill(instance)
		f.start(instance)
		took := f.again(instance, before)
		time.Sleep(2 * ttl) // the old lease ends, and takes nothing along
		f.agreed(0)
		return took
	})
	f.row("a server killed: gone after its ttl, + 2 s at most", func() time.Duration {
		instance := f.any()
		f.kill(instance)
		took := f.gone(ttl+2*time.Second, instance)
		f.start(instance)
		f.agreed(10 * time.Second)
		return took
	})
	f.row("a server and the leader killed: one ttl more at most", func() time.Duration {
		instance := f.any()
		leader := f.cluster.Leader(f.T)
		f.kill(instance)
		leader.Kill(f.T)
		took := f.gone(2*ttl+2*time.Second, instance)
		leader.Launch(f.T)
		leader.Await(f.T)
		f.start(instance)
		f.agreed(10 * time.Second)
		return took
	})
	f.row("a server stopped, as a deploy does", func() time.Duration {
		instance := f.any()
		begun := time.Now()
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			f.stop(instance)
		}()
		f.gone(time.Second, instance)
		took := time.Since(begun)
		<-stopped
		for n, c := range f.clients {
			c.mu.Lock()
			if !c.withdrew[instance] {
				f.Errorf("client %d: want %s withdrawn, have it lost", n, instance)
			}
			c.mu.Unlock()
		}
		f.start(instance)
		f.agreed(10 * time.Second)
		return took
	})
	f.row("every server restarted, one after the other", func() time.Duration {
		begun := time.Now()
		for _, instance := range f.living() {
			f.stop(instance)
			f.start(instance)
			f.agreed(5 * time.Second)
		}
		return time.Since(begun)
	})
	f.row("every lease revoked at once", func() time.Duration {
		for _, instance := range f.living() {
			lease, err := f.lease(instance)
			if err == nil {
				_, err = f.admin.Revoke(context.Background(), lease)
			}
			if err != nil {
				f.Fatal(err)
			}
		}
		return f.agreed(5 * time.Second)
	})
}
