package zkdev

import (
	"maps"
	"slices"
	"strings"
)

// A znode is one node of the tree: a directory and a file at once. Its own name is known only to
// the tree and to its parent. Czxid, mzxid and pzxid number the changes that created it, that last
// set its data, and that last created or deleted a child; setting the data of a child leaves pzxid
// alone.
type znode struct {
	data                []byte
	acl                 []acl
	czxid, mzxid, pzxid int64
	ctime, mtime        int64 // milliseconds since 1970
	version, aversion   int32
	creates             int32 // children ever created: the next sequence number
	owner               int64 // the session that an ephemeral dies with, or zero
	container           bool  // removed some time after its last child
	ttl                 int64 // milliseconds; removed some time after its last change, or zero
	children            map[string]struct{}
}

// stat derives Cversion: of the children ever created, those that are not here now were each
// deleted once. So only creates are counted, as in ZooKeeper, and the next sequence number is not
// raised by a delete. It does not show that a znode is a container or has a lifetime.
func (n *znode) stat() Stat {
	return Stat{
		Czxid: n.czxid, Mzxid: n.mzxid, Pzxid: n.pzxid,
		Ctime: n.ctime, Mtime: n.mtime,
		Version: n.version, Cversion: 2*n.creates - int32(len(n.children)), Aversion: n.aversion,
		EphemeralOwner: n.owner,
		DataLength:     int32(len(n.data)), NumChildren: int32(len(n.children)),
	}
}

// A tree holds all znodes by path. It knows neither sessions nor clients, and is changed only by a
// txn. Owned and ttls can be computed from nodes; they are kept so that the end of a session, and
// the question whether a timer is needed, do not cost a walk through all znodes.
type tree struct {
	zxid  int64 // of the last change
	nodes map[string]*znode
	owned map[int64]map[string]struct{} // the ephemerals of each session
	ttls  int                           // how many znodes have a lifetime
}

// newTree returns the tree of a server that has never been used: the root, and ZooKeeper's own
// corner. Zxid is the number of the change before its first.
func newTree(zxid int64) *tree {
	t := &tree{zxid: zxid, nodes: map[string]*znode{}, owned: map[int64]map[string]struct{}{}}
	for _, p := range special {
		t.nodes[p] = &znode{data: []byte{}, acl: openACL(), children: map[string]struct{}{}}
		if p != "/" {
			t.nodes[parent(p)].children[base(p)] = struct{}{}
		}
	}
	config := t.get("/zookeeper/config")
	config.acl, config.aversion = []acl{{permRead, anyone}}, -1
	return t
}

// get returns nil for a path that is not there. The root has a second name, the empty path.
func (t *tree) get(path string) *znode {
	if path == "" {
		path = "/"
	}
	return t.nodes[path]
}

// children returns the names below path in order, which ZooKeeper does not promise.
func (t *tree) children(path string) []string {
	n := t.get(path)
	if n == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(n.children))
}

// ephemerals returns the paths that die with a session, in order.
func (t *tree) ephemerals(session int64) []string {
	return slices.Sorted(maps.Keys(t.owned[session]))
}

// countBelow counts the znodes below path, at any depth. The root does not count itself by its
// name, and does by its second name, as in ZooKeeper.
func (t *tree) countBelow(path string) int {
	if path == "/" {
		return len(t.nodes) - 1
	}
	n := 0
	for p := range t.nodes {
		if strings.HasPrefix(p, path+"/") {
			n++
		}
	}
	return n
}

// add and remove keep nodes, the parent's children, owned and ttls in step, and nothing else:
// versions and zxids are set by the change that calls them.
func (t *tree) add(path string, n *znode) {
	t.nodes[path] = n
	t.nodes[parent(path)].children[base(path)] = struct{}{}
	if n.ttl != 0 {
		t.ttls++
	}
	if n.owner == 0 {
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
	if n.ttl != 0 {
		t.ttls--
	}
	delete(t.owned[n.owner], path)
	if len(t.owned[n.owner]) == 0 {
		delete(t.owned, n.owner)
	}
}

// clone copies everything that a txn changes in place; data and ACLs are replaced, never changed,
// and so are shared.
func (t *tree) clone() *tree {
	c := *t
	c.nodes = make(map[string]*znode, len(t.nodes))
	c.owned = make(map[int64]map[string]struct{}, len(t.owned))
	for path, n := range t.nodes {
		node := *n
		node.children = maps.Clone(n.children)
		c.nodes[path] = &node
	}
	for session, paths := range t.owned {
		c.owned[session] = maps.Clone(paths)
	}
	return &c
}

// ephemeralCount counts the znodes that die with some session.
func (t *tree) ephemeralCount() int {
	n := 0
	for _, paths := range t.owned {
		n += len(paths)
	}
	return n
}
