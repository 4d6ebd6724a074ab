package zkdev

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
)

// TestRollbackRestoresEverything applies random writes as one change and takes them back: the tree
// must be as it was.
func TestRollbackRestoresEverything(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		tree := newTree(0)
		grow := &txn{tree: tree, zxid: 1, session: 7}
		randomWrites(r, grow)
		before := tree.clone()
		x := &txn{tree: tree, zxid: 2, session: 8}
		done := randomWrites(r, x)
		x.rollback()
		if !reflect.DeepEqual(tree, before) {
			t.Fatalf("seed %d: the tree differs after taking back %v", seed, done)
		}
	}
}

// randomWrites returns what succeeded.
func randomWrites(r *rand.Rand, x *txn) (done []write) {
	for range 20 {
		path := fmt.Sprintf("/%d", r.IntN(3))
		if r.IntN(2) == 0 {
			path += fmt.Sprintf("/%d", r.IntN(3))
		}
		ops := []Op{OpCreate, OpCreate, OpCreateContainer, OpCreateTTL, OpDelete, OpSetData,
			OpCheck}
		w := write{op: ops[r.IntN(len(ops))], path: path, data: []byte(path), acl: openACL(),
			version: -1}
		w.flags = int32(r.IntN(4))
		if w.op == OpCreateTTL {
			w.flags, w.ttl = flagTTL, 1000
		}
		if x.do(w).code == OK {
			done = append(done, w)
		}
	}
	if r.IntN(2) == 0 {
		x.endSession(7)
	}
	return done
}

// TestTreeInvariants checks after random changes what the server relies on.
func TestTreeInvariants(t *testing.T) {
	for seed := range uint64(100) {
		tree := newTree(0)
		changes := 0
		for round := range int64(10) {
			x := &txn{tree: tree, zxid: round + 1, session: round % 3}
			randomWrites(rand.New(rand.NewPCG(seed, uint64(round))), x)
			changes += len(x.changes)
		}
		if changes == 0 {
			t.Fatalf("seed %d: nothing happened", seed)
		}
		checkTree(t, seed, tree)
	}
}

func checkTree(t *testing.T, seed uint64, tree *tree) {
	t.Helper()
	owned, ttls := 0, 0
	for path, n := range tree.nodes {
		if n.ttl != 0 {
			ttls++
		}
		if path != "/" {
			if _, listed := tree.nodes[parent(path)].children[base(path)]; !listed {
				t.Errorf("seed %d: %s is not listed by its parent", seed, path)
			}
		}
		for name := range n.children {
			if tree.get(join(path, name)) == nil {
				t.Errorf("seed %d: %s lists %s, which is not there", seed, path, name)
			}
		}
		if n.owner == 0 {
			continue
		}
		owned++
		if _, has := tree.owned[n.owner][path]; !has || len(n.children) > 0 {
			t.Errorf("seed %d: ephemeral %s: owned %v, children %v", seed, path, has, n.children)
		}
	}
	if have := tree.ephemeralCount(); have != owned {
		t.Errorf("seed %d: ephemerals counted: have %d, want %d", seed, have, owned)
	}
	if tree.ttls != ttls {
		t.Errorf("seed %d: znodes with a lifetime: have %d, want %d", seed, tree.ttls, ttls)
	}
}

func join(path, name string) string {
	if path == "/" {
		return path + name
	}
	return path + "/" + name
}

func TestCloneIsIndependent(t *testing.T) {
	tree := newTree(0)
	x := &txn{tree: tree, zxid: 1, session: 7}
	x.create("/a", &znode{data: []byte("old"), acl: openACL()}, false)
	x.create("/a/e", &znode{acl: openACL(), owner: 7}, false)
	copied := tree.clone()
	x.setData("/a", []byte("new"), -1)
	x.endSession(7)
	x.create("/b", &znode{acl: openACL()}, false)
	if n := copied.get("/a"); string(n.data) != "old" || n.version != 0 || len(n.children) != 1 {
		t.Errorf("have %+v, want what was copied", n)
	}
	if len(copied.ephemerals(7)) != 1 || copied.get("/b") != nil {
		t.Errorf("have %v, want what was copied", copied.nodes)
	}
}
