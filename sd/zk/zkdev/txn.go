package zkdev

import (
	"fmt"
	"slices"
)

// A txn is one change to the tree: one zxid, one moment, and either all of it or nothing. Its
// methods are the rules of ZooKeeper's writes. Each checks in the order in which ZooKeeper checks
// (PrepRequestProcessor), because that order decides which error a client sees: a client without
// DELETE on the parent gets NoAuth, whether or not the znode is there.
//
// The methods change the tree at once, and each leaves a function that takes its change back. So
// the later operations of a multi see what the earlier ones did, and a failure undoes them in
// reverse.
type txn struct {
	tree    *tree
	zxid    int64
	now     int64 // milliseconds since 1970
	session int64
	ids     []identity // what the client proved
	trusted bool       // the server itself: no ACL applies
	changes []change
	undo    []func()
}

// A change is what happened to one znode, for its watchers.
type change struct {
	event
	acl, above []acl // of the znode and of its parent: they say who may be told
}

// rollback takes the tree back to where it was, its zxid excepted: a failed change has used its
// number up.
func (x *txn) rollback() {
	for _, undo := range slices.Backward(x.undo) {
		undo()
	}
	x.undo, x.changes = nil, nil
}

// changed notes what happened, for watchers, and how to take it back.
func (x *txn) changed(kind eventKind, path string, n *znode, undo func()) {
	above := x.tree.get(parent(path))
	x.changes = append(x.changes, change{event{kind, path}, n.acl, above.acl})
	x.undo = append(x.undo, undo)
}

// may says whether the client has a permission on n.
func (x *txn) may(n *znode, perm int32) bool { return x.trusted || permits(n.acl, perm, x.ids) }

// versionOK compares with the version that the client expects; -1 expects nothing.
func versionOK(expected, actual int32) bool { return expected == -1 || expected == actual }

// create adds n, of which data, ACL and kind are set. A sequential znode has the number of children
// its parent ever had appended to its name, and the path that came out is returned. An ephemeral
// can have no children, because nobody could own them when its session ends.
func (x *txn) create(path string, n *znode, sequential bool) (string, Code) {
	if !hasParent(path) {
		return "", BadArguments
	}
	list, code := resolve(n.acl, x.ids)
	if code != OK {
		return "", code
	}
	n.acl = list
	above := x.tree.get(parent(path))
	if above == nil {
		return "", NoNode
	}
	if !x.may(above, permCreate) {
		return "", NoAuth
	}
	if sequential {
		path += fmt.Sprintf("%010d", above.creates)
	}
	switch {
	case !validPath(path):
		return "", BadArguments
	case x.tree.get(path) != nil:
		return "", NodeExists
	case above.owner != 0:
		return "", NoChildrenForEphemerals
	}
	x.insert(path, above, n)
	return path, OK
}

// insert is a create that has passed all checks.
func (x *txn) insert(path string, above, n *znode) {
	n.children = map[string]struct{}{}
	n.czxid, n.mzxid, n.pzxid = x.zxid, x.zxid, x.zxid
	n.ctime, n.mtime = x.now, x.now
	before := above.pzxid
	x.tree.add(path, n)
	above.creates++
	above.pzxid = x.zxid
	x.changed(nodeCreated, path, n, func() {
		x.tree.remove(path)
		above.creates--
		above.pzxid = before
	})
}

// delete removes a znode without children. The version pins an incarnation only if its data was
// ever set: every znode begins at version 0, so version 0 also matches a znode that was deleted
// and created again.
func (x *txn) delete(path string, version int32) Code {
	if !hasParent(path) || isSpecial(path) {
		return BadArguments
	}
	above := x.tree.get(parent(path))
	if above == nil {
		return NoNode
	}
	if !x.may(above, permDelete) {
		return NoAuth
	}
	n := x.tree.get(path)
	switch {
	case n == nil:
		return NoNode
	case !versionOK(version, n.version):
		return BadVersion
	case len(n.children) > 0:
		return NotEmpty
	}
	x.erase(path, above, n)
	return OK
}

// erase is a delete that has passed all checks. The parent's Cversion rises by itself: see stat.
func (x *txn) erase(path string, above, n *znode) {
	before := above.pzxid
	x.tree.remove(path)
	above.pzxid = x.zxid
	x.changed(nodeDeleted, path, n, func() {
		x.tree.add(path, n)
		above.pzxid = before
	})
}

// setData replaces the data and raises the version by one.
func (x *txn) setData(path string, data []byte, version int32) (Stat, Code) {
	n, code := x.writable(path, permWrite)
	if code != OK {
		return Stat{}, code
	}
	if !versionOK(version, n.version) {
		return Stat{}, BadVersion
	}
	before := *n
	n.data, n.mzxid, n.mtime = data, x.zxid, x.now
	n.version++
	x.changed(nodeDataChanged, path, n, func() {
		n.data, n.mzxid, n.mtime = before.data, before.mzxid, before.mtime
		n.version = before.version
	})
	return n.stat(), OK
}

// setACL replaces the ACL and raises aversion. No watch covers ACLs, so nobody is told. It is never
// part of a multi, so it needs no undo.
func (x *txn) setACL(path string, list []acl, version int32) (Stat, Code) {
	if !validPath(path) {
		return Stat{}, BadArguments
	}
	list, code := resolve(list, x.ids)
	if code != OK {
		return Stat{}, code
	}
	n, code := x.writable(path, permAdmin)
	if code != OK {
		return Stat{}, code
	}
	if !versionOK(version, n.aversion) {
		return Stat{}, BadVersion
	}
	n.acl = list
	n.aversion++
	return n.stat(), OK
}

// check succeeds when the version is right, and changes nothing.
func (x *txn) check(path string, version int32) Code {
	n, code := x.writable(path, permRead)
	if code == OK && !versionOK(version, n.version) {
		return BadVersion
	}
	return code
}

// writable finds a znode on which the client has perm.
func (x *txn) writable(path string, perm int32) (*znode, Code) {
	if !validPath(path) {
		return nil, BadArguments
	}
	n := x.tree.get(path)
	if n == nil {
		return nil, NoNode
	}
	if !x.may(n, perm) {
		return nil, NoAuth
	}
	return n, OK
}

// endSession removes everything that dies with a session.
func (x *txn) endSession(session int64) {
	for _, path := range x.tree.ephemerals(session) {
		x.erase(path, x.tree.get(parent(path)), x.tree.get(path))
	}
}
