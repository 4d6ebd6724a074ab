package matrix

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/sd"
)

// directoryRows are what people do to the registry's contents.
func directoryRows(t *testing.T, r *rig) {
	f := newFleet(t, r, "directory", plan{})
	f.row("F26", "own node deleted by hand", func(r *row) {
		r.remove(r.servers[0].instance)
		r.converged = r.owned(time.Second)
		r.agree(time.Second, r.instances()...)
		r.kept(serverCount - 1)
	})
	f.row("F27", "directory deleted with all in it", func(r *row) {
		r.losesPolicy()
		r.replaceDirectory()
		r.converged = r.owned(2*time.Second + slack)
		r.agree(slack, r.instances()...)
	})
	f.row("F27", "directory replaced by an ephemeral node, for 2 s", func(r *row) {
		r.losesPolicy()
		r.replaceDirectory(&gozk.CreateRequest{Path: r.directory, Acl: gozk.WorldACL(gozk.PermAll),
			Flags: gozk.FlagEphemeral})
		hold(2 * time.Second)
		if err := r.admin.Delete(r.directory, -1); err != nil {
			r.Fatal(err)
		}
		r.converged = r.owned(2*time.Second + slack)
		r.agree(slack, r.instances()...)
	})
}

// replaceDirectory deletes the directory with everything in it, and does more, in one transaction,
// since servers come back at once.
func (r *row) replaceDirectory(more ...any) {
	r.Helper()
	r.await(r, 5*time.Second, func() error {
		names, err := r.rig.children(r.directory)
		var all []any
		for _, name := range names {
			all = append(all, &gozk.DeleteRequest{Path: r.directory + "/" + name, Version: -1})
		}
		all = append(all, &gozk.DeleteRequest{Path: r.directory, Version: -1})
		_, multi := r.admin.Multi(append(all, more...)...)
		return errors.Join(err, multi)
	})
}

// garbageCount is how many nodes garbageRow makes that are no instances.
const garbageCount = 10_000

// garbageRow is F28. It keeps the clients and the ensemble so busy that no other fleet is to be
// judged meanwhile.
func garbageRow(t *testing.T, r *rig) {
	f := newFleet(t, r, "garbage", plan{})
	f.row("F28", fmt.Sprintf("%d nodes of garbage, and hostile names", garbageCount), func(r *row) {
		names := hostileNames()
		for n := range garbageCount {
			names = append(names, fmt.Sprintf("garbage-%d", n))
		}
		before := heap()
		r.inBatches(names, func(path string) any {
			return &gozk.CreateRequest{Path: path, Acl: gozk.WorldACL(gozk.PermAll)}
		})
		r.converged = r.await(r, 5*time.Second, func() error {
			for i, c := range r.clients {
				if have := c.view.Rejected(); have < len(names) {
					return fmt.Errorf("client %d: want %d names rejected, have %d", i, len(names), have)
				}
			}
			return nil
		})
		r.agree(slack, r.instances()...)
		r.note("%d MB heap for %d clients", int64(heap()-before)>>20, len(r.clients))
		r.inBatches(names, func(path string) any { return &gozk.DeleteRequest{Path: path, Version: -1} })
		r.quiet()
	})
}

// hostileNames are names that a careless client would dial, print or crash on. The node of a server
// is none of them.
func hostileNames() []string {
	return []string{
		"0.0.0.0:1", "[::]:1", "224.0.0.1:1", "127.0.0.1:0", "127.0.0.1:65536",
		"127.0.0.1:99999999999999999999", "127.0.0.1:", "127.0.0.1", ":1", "1:127.0.0.1", "127.1:1",
		"0x7f000001:1", "2130706433:1", "127.000.000.001:1", "127.0.0.1:01", "127.0.0.1:+1",
		" 127.0.0.1:1", "127.0.0.1:1 ", "localhost:1", "example.com:80", "[::1%lo]:1", "[::1]",
		"::1:1", "[0:0::1]:1", "127.0.0.1:1?x=y", "127.0.0.1:1#", "user@127.0.0.1:1", "-rf", "%s%n%d",
		"$(reboot)", "'; drop table", "..:1", "…", "１２７.0.0.1:1", "127.0.0.1:1\u202e",
		strings.Repeat("9", 4000) + ":1", "_c_0123456789abcdef-127.0.0.1:1-0000000001",
	}
}

// inBatches makes one operation for each name in the directory, many in one transaction.
func (r *row) inBatches(names []string, op func(path string) any) {
	r.Helper()
	for len(names) > 0 {
		n := min(len(names), 500)
		var ops []any
		for _, name := range names[:n] {
			ops = append(ops, op(r.directory+"/"+name))
		}
		if _, err := r.admin.Multi(ops...); err != nil {
			r.Fatal(err)
		}
		names = names[n:]
	}
}

// heap is what this process has allocated and still needs.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// TestHostileNames keeps the list above honest: none is an instance.
func TestHostileNames(t *testing.T) {
	for _, name := range hostileNames() {
		if sd.CheckInstance(name) == nil {
			t.Errorf("%q is an instance", name)
		}
	}
}
