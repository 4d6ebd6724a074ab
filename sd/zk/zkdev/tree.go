package zkdev

import (
	"maps"
	"math"
	"slices"
)

// containerOwner marks a container, a znode that is removed some time after its
// last child, in place of a session.
const containerOwner = math.MinInt64

// A znode is one node of the tree: a directory and a file at once. Its own name
// is known only to the tree and to its parent. Czxid, mzxid and pzxid number
// the changes that created it, that last set its data, and that last created or
// deleted a child; setting the data of a child leaves pzxid alone.
type znode struct {
	data                []byte
	acl                 []acl
	czxid, mzxid, pzxid int64
	ctime, mtime        int64
	version, aversion   int32
	creates             int32 // children ever created: the next sequence number
	owner               int64
	children            map[string]struct{}
}

// ephemeral says whether the znode dies with a session.
func (n *znode) ephemeral() bool { return n.owner != 0 && n.owner != containerOwner }

// stat derives Cversion: of the children ever created, those that are not here
// now were each deleted once. So only creates are counted, as in ZooKeeper, and
// the next sequence number is not raised by a delete. It does not show that a
// znode is a container.
func (n *znode) stat() Stat {
	s := Stat{
		Czxid: n.czxid, Mzxid: n.mzxid, Pzxid: n.pzxid,
		Ctime: n.ctime, Mtime: n.mtime,
		Version: n.version, Cversion: 2*n.creates - int32(len(n.children)), Aversion: n.aversion,
		DataLength: int32(len(n.data)), NumChildren: int32(len(n.children)),
	}
	if n.ephemeral() {
		s.EphemeralOwner = n.owner
	}
	return s
}

// A tree holds all znodes by path. It knows neither sessions nor clients, and
// is changed only by a txn.
type tree struct {
	zxid  int64 // of the last change
	nodes map[string]*znode
	owned map[int64]map[string]struct{} // the ephemerals of each session
}

// newTree returns the tree of a server that has never been used: the root, and
// ZooKeeper's own corner.
func newTree() *tree {
	t := &tree{nodes: map[string]*znode{}, owned: map[int64]map[string]struct{}{}}
	for _, p := range special {
		t.nodes[p] = &znode{acl: openACL(), children: map[string]struct{}{}}
		if p != "/" {
			t.nodes[parent(p)].children[base(p)] = struct{}{}
		}
	}
	config := t.get("/zookeeper/config")
	config.acl, config.aversion = []acl{{permRead, anyone}}, -1
	return t
}

// get returns nil for a path that is not there. The root has a second name, the
// empty path.
func (t *tree) get(path string) *znode {
	if path == "" {
		path = "/"
	}
	return t.nodes[path]
}

// children returns the names below path in order, which ZooKeeper does not
// promise.
func (t *tree) children(path string) []string {
	n := t.get(path)
	if n == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(n.children))
}

// ephemerals returns the paths that die with a session, in order.
func (t *tree) ephemerals(session int64) []string { return slices.Sorted(maps.Keys(t.owned[session])) }

// add and remove keep nodes, the parent's children and owned in step, and
// nothing else: versions and zxids are the business of the change that calls
// them.
func (t *tree) add(path string, n *znode) {
	t.nodes[path] = n
	t.nodes[parent(path)].children[base(path)] = struct{}{}
	if !n.ephemeral() {
		return
	}
	if t.owned[n.owner] == nil {
		t.owned[n.owner] = map[string]struct{}{}
	}
	t.owned[n.owner][path] = struct{}{}
}

func (t *tree) remove(path string) {
	n := t.nodes[path]
	delete(t.nodes, path)
	delete(t.nodes[parent(path)].children, base(path))
	delete(t.owned[n.owner], path)
	if len(t.owned[n.owner]) == 0 {
		delete(t.owned, n.owner)
	}
}

// clone copies everything that a txn changes in place; data and ACLs are
// replaced, never changed, and so are shared.
func (t *tree) clone() *tree {
	c := &tree{zxid: t.zxid, nodes: make(map[string]*znode, len(t.nodes)), owned: map[int64]map[string]struct{}{}}
	for path, n := range t.nodes {
		node := *n
		node.children = maps.Clone(n.children)
		c.nodes[path] = &node
	}
	for session, paths := range t.owned {
		c.owned[session] = maps.Clone(paths)
	}
	return c
}

// ephemeralCount counts the znodes that die with some session.
func (t *tree) ephemeralCount() int {
	n := 0
	for _, paths := range t.owned {
		n += len(paths)
	}
	return n
}
