package zkdev

import (
	"reflect"
	"testing"
)

func always(watcher) bool { return true }

// TestFiringRules sets one watch of a kind on a path, makes a change, and looks at what is told and
// what is left.
func TestFiringRules(t *testing.T) {
	const w watcher = 1
	data := func(path string) func(watches) {
		return func(ws watches) { ws.data.add(path, w, oneShot) }
	}
	child := func(path string) func(watches) {
		return func(ws watches) { ws.child.add(path, w, oneShot) }
	}
	lasting := func(path string, m watchMode) func(watches) {
		return func(ws watches) { ws.both(path, w, m) }
	}
	type events []event
	for name, c := range map[string]struct {
		watch func(watches)
		change
		want events
		left int
	}{
		"data, created": {data("/a/b"), change{event: event{nodeCreated, "/a/b"}},
			events{{nodeCreated, "/a/b"}}, 0},
		"data, changed": {data("/a/b"), change{event: event{nodeDataChanged, "/a/b"}},
			events{{nodeDataChanged, "/a/b"}}, 0},
		"data, deleted": {data("/a/b"), change{event: event{nodeDeleted, "/a/b"}},
			events{{nodeDeleted, "/a/b"}}, 0},
		"data, of the parent": {data("/a"), change{event: event{nodeCreated, "/a/b"}}, nil, 1},
		"child, created": {child("/a"), change{event: event{nodeCreated, "/a/b"}},
			events{{nodeChildrenChanged, "/a"}}, 0},
		"child, deleted": {child("/a"), change{event: event{nodeDeleted, "/a/b"}},
			events{{nodeChildrenChanged, "/a"}}, 0},
		"child, changed": {child("/a"), change{event: event{nodeDataChanged, "/a/b"}},
			nil, 1},
		"child, deleted itself": {child("/a/b"), change{event: event{nodeDeleted, "/a/b"}},
			events{{nodeDeleted, "/a/b"}}, 0},
		"child, of the root": {child("/"), change{event: event{nodeCreated, "/a"}},
			events{{nodeChildrenChanged, "/"}}, 0},
		"child, grandchild": {child("/"), change{event: event{nodeCreated, "/a/b"}}, nil, 1},
		"persistent, child": {lasting("/a", persistent),
			change{event: event{nodeCreated, "/a/b"}}, events{{nodeChildrenChanged, "/a"}}, 2},
		"persistent, itself": {lasting("/a", persistent),
			change{event: event{nodeDeleted, "/a"}}, events{{nodeDeleted, "/a"}}, 2},
		"persistent, grandchild": {lasting("/a", persistent),
			change{event: event{nodeCreated, "/a/b/c"}}, nil, 2},
		"recursive, child": {lasting("/a", recursive),
			change{event: event{nodeCreated, "/a/b"}}, events{{nodeCreated, "/a/b"}}, 2},
		"recursive, child deleted": {lasting("/a", recursive),
			change{event: event{nodeDeleted, "/a/b"}}, events{{nodeDeleted, "/a/b"}}, 2},
		"recursive, grandchild": {lasting("/a", recursive),
			change{event: event{nodeDataChanged, "/a/b/c"}}, events{{nodeDataChanged, "/a/b/c"}}, 2},
		"recursive, itself": {lasting("/a", recursive),
			change{event: event{nodeDataChanged, "/a"}}, events{{nodeDataChanged, "/a"}}, 2},
		"recursive, sibling": {lasting("/a", recursive),
			change{event: event{nodeCreated, "/ab"}}, nil, 2},
		"recursive, everything": {lasting("/", recursive),
			change{event: event{nodeDeleted, "/a/b"}}, events{{nodeDeleted, "/a/b"}}, 2},
		"one-shot after persistent": {func(ws watches) {
			ws.both("/a", w, persistent)
			ws.child.add("/a", w, oneShot)
		}, change{event: event{nodeCreated, "/a/b"}}, events{{nodeChildrenChanged, "/a"}}, 1},
	} {
		ws := newWatches()
		c.watch(ws)
		var have events
		for _, d := range ws.fire(c.change, always) {
			have = append(have, d.event)
		}
		if !reflect.DeepEqual(have, c.want) || ws.size() != c.left {
			t.Errorf("%s: have %v and %d watches left, want %v and %d", name, have, ws.size(),
				c.want, c.left)
		}
	}
}

// TestFiringOrder wants data watches before child watches, the parent last, and watchers in order.
func TestFiringOrder(t *testing.T) {
	ws := newWatches()
	for _, w := range []watcher{3, 1, 2} {
		ws.child.add("/a", w, oneShot)
		ws.child.add("/", w, oneShot)
	}
	ws.data.add("/a", 2, oneShot)
	have := ws.fire(change{event: event{nodeDeleted, "/a"}}, func(w watcher) bool { return w != 3 })
	want := []delivery{
		{2, event{nodeDeleted, "/a"}, nil}, {1, event{nodeDeleted, "/a"}, nil},
		{1, event{nodeChildrenChanged, "/"}, nil}, {2, event{nodeChildrenChanged, "/"}, nil},
	}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("have %v, want %v", have, want)
	}
	if have := ws.count(3); have != 2 {
		t.Errorf("watches of one who was not to hear: have %d, want 2", have)
	}
	ws.forget(3)
	if have := ws.size(); have != 0 {
		t.Errorf("watches left: have %d, want 0", have)
	}
}
