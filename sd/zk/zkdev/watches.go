package zkdev

import (
	"maps"
	"slices"
)

// An eventKind says what happened to the path in an event.
type eventKind int32

const (
	nodeCreated         eventKind = 1
	nodeDeleted         eventKind = 2
	nodeDataChanged     eventKind = 3
	nodeChildrenChanged eventKind = 4
)

// An event tells a watcher that something happened to a path. It says neither what is there now nor
// the zxid, so a client reads after it.
type event struct {
	kind eventKind
	path string
}

// A watcher is the number of a connection: watches belong to connections, not to sessions, and a
// client that reconnects asks for its own again.
type watcher int64

// A watchMode is what a watch is told of, and how often.
type watchMode int32

const (
	persistent watchMode = iota // its own path, until it is removed
	recursive                   // its path and all below it likewise, but no nodeChildrenChanged
	oneShot                     // its own path, once
)

// A watchTable holds the watches of one sort, data or children. In each, a connection has at most
// one watch on a path: a later one replaces an earlier one, mode and all. So a one-shot exists on a
// path that the connection watches recursively turns the recursive watch into a one-shot one, and
// the client hears of the znodes below no more. ZooKeeper 3.8 does the same, later ones do not:
// https://issues.apache.org/jira/browse/ZOOKEEPER-4466.
type watchTable map[string]map[watcher]watchMode

// add replaces the mode of a watch that is there already.
func (t watchTable) add(path string, w watcher, mode watchMode) {
	if t[path] == nil {
		t[path] = map[watcher]watchMode{}
	}
	t[path][w] = mode
}

// remove says whether there was one.
func (t watchTable) remove(path string, w watcher) bool {
	found := t.has(path, w)
	delete(t[path], w)
	if len(t[path]) == 0 {
		delete(t, path)
	}
	return found
}

// has says whether w watches path, in any mode.
func (t watchTable) has(path string, w watcher) bool {
	_, found := t[path][w]
	return found
}

// trigger collects the watchers of an event and removes the one-shot watches among them. It leaves
// out the watchers that only refuses, which keep their watches.
func (t watchTable) trigger(ev event, only func(watcher) bool) map[watcher]struct{} {
	told := map[watcher]struct{}{}
	for w, mode := range t[ev.path] {
		if !only(w) || mode == recursive && ev.kind == nodeChildrenChanged {
			continue
		}
		told[w] = struct{}{}
		if mode == oneShot {
			t.remove(ev.path, w)
		}
	}
	if ev.kind == nodeChildrenChanged {
		return told
	}
	for path := ev.path; path != "/"; {
		path = parent(path)
		for w, mode := range t[path] {
			if mode == recursive && only(w) {
				told[w] = struct{}{}
			}
		}
	}
	return told
}

// watches are all watches of a server, in two tables, as ZooKeeper keeps them. Exists and getData
// watch data, getChildren watches children, addWatch both.
type watches struct{ data, child watchTable }

// newWatches returns two empty tables.
func newWatches() watches { return watches{watchTable{}, watchTable{}} }

// tables returns one of the two or both.
func (ws watches) tables(data, child bool) []watchTable {
	var list []watchTable
	if data {
		list = append(list, ws.data)
	}
	if child {
		list = append(list, ws.child)
	}
	return list
}

// A delivery is an event on its way to one watcher, which is told only if acl lets it read.
type delivery struct {
	to watcher
	event
	acl []acl
}

// fire turns a change into deliveries, in the order in which they must leave: first to the watchers
// of the znode, then to those of its parent's children. A watcher of both the data and the children
// of a deleted znode is told once. Setting an ACL cannot be watched.
func (ws watches) fire(c change, only func(watcher) bool) []delivery {
	ev := c.event
	told := ws.data.trigger(ev, only)
	list := deliveries(ev, told, c.acl)
	if c.kind == nodeDataChanged {
		return list
	}
	if c.kind == nodeDeleted {
		more := ws.child.trigger(ev, only)
		for w := range told {
			delete(more, w)
		}
		list = append(list, deliveries(ev, more, c.acl)...)
	}
	up := event{nodeChildrenChanged, parent(c.path)}
	return append(list, deliveries(up, ws.child.trigger(up, only), c.above)...)
}

// deliveries puts the watchers of one event in order. ZooKeeper promises none among clients; with a
// fixed one tests can be repeated.
func deliveries(ev event, told map[watcher]struct{}, readers []acl) []delivery {
	var list []delivery
	for _, w := range slices.Sorted(maps.Keys(told)) {
		list = append(list, delivery{w, ev, readers})
	}
	return list
}

// forget drops every watch of w.
func (ws watches) forget(w watcher) {
	for _, table := range ws.tables(true, true) {
		for path := range table {
			table.remove(path, w)
		}
	}
}

// count returns how many watches w has. A persistent watch stands in both tables and counts twice,
// as in mntr.
func (ws watches) count(w watcher) int {
	n := 0
	for _, table := range ws.tables(true, true) {
		for path := range table {
			if table.has(path, w) {
				n++
			}
		}
	}
	return n
}

// A rearm is the request of a client that reconnected: its watches, and the last change it has
// seen.
type rearm struct {
	lastZxid                                  int64
	data, exists, child, persist, recursively []string
}

// rearm restores watches, after a reconnection. A change of a one-shot watch's znode after lastZxid
// is told at once, in place of the watch, whatever the ACL; changes that persistent watches missed
// are never told.
func (ws watches) rearm(w watcher, t *tree, r rearm) []delivery {
	var missed []delivery
	tell := func(kind eventKind, path string) {
		missed = append(missed, delivery{w, event{kind, path}, openACL()})
	}
	for _, path := range r.data {
		switch n := t.get(path); {
		case n == nil:
			tell(nodeDeleted, path)
		case n.mzxid > r.lastZxid:
			tell(nodeDataChanged, path)
		default:
			ws.data.add(path, w, oneShot)
		}
	}
	for _, path := range r.exists {
		if t.get(path) != nil {
			tell(nodeCreated, path)
			continue
		}
		ws.data.add(path, w, oneShot)
	}
	for _, path := range r.child {
		switch n := t.get(path); {
		case n == nil:
			tell(nodeDeleted, path)
		case n.pzxid > r.lastZxid:
			tell(nodeChildrenChanged, path)
		default:
			ws.child.add(path, w, oneShot)
		}
	}
	for _, path := range r.persist {
		ws.both(path, w, persistent)
	}
	for _, path := range r.recursively {
		ws.both(path, w, recursive)
	}
	return missed
}

// both sets a persistent watch, which is told of data and children alike.
func (ws watches) both(path string, w watcher, mode watchMode) {
	ws.data.add(path, w, mode)
	ws.child.add(path, w, mode)
}

// size counts all watches.
func (ws watches) size() int {
	n := 0
	for _, table := range ws.tables(true, true) {
		for _, list := range table {
			n += len(list)
		}
	}
	return n
}
