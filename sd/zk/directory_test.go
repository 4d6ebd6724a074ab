package zk

import (
	"slices"
	"testing"

	"example.com/daytime/sd"
)

// taken returns the whole set that a reader is told who joins now.
func taken(t *testing.T, d *directory) []string {
	t.Helper()
	r := d.join()
	defer d.leave(r)
	changes, err := d.take(r)
	if err != nil || len(changes) != 1 || !changes[0].Reset {
		t.Fatalf("a reader who joins: want a reset, have %+v, %v", changes, err)
	}
	return slices.Sorted(slices.Values(changes[0].Up))
}

// Whoever joins while the set of a list is still being made gets the list.
func TestReaderJoinsBeforeTheSetIsMade(t *testing.T) {
	d := newDirectory(nil, config{parent: "/go_servers"})
	early := d.join()
	c := sd.Change{Reset: true, Up: []string{"a", "b"}}
	d.keep(c)
	if have := taken(t, d); !slices.Equal(c.Up, have) {
		t.Errorf("before the set is made: want %q, have %q", c.Up, have)
	}
	d.index(c.Up)
	if have := taken(t, d); !slices.Equal(c.Up, have) {
		t.Errorf("after: want %q, have %q", c.Up, have)
	}
	d.publish(sd.Change{Up: []string{"c"}, Down: []string{"a"}})
	if want, have := []string{"b", "c"}, taken(t, d); !slices.Equal(want, have) {
		t.Errorf("after a difference: want %q, have %q", want, have)
	}
	if changes, _ := d.take(early); len(changes) != 1 || changes[0].Reset {
		t.Errorf("who had joined before: want the difference alone, have %+v", changes)
	}
}

// Who is too far behind is told the set, not the changes.
func TestReaderFarBehindGetsTheSet(t *testing.T) {
	d := newDirectory(nil, config{parent: "/go_servers"})
	slow := d.join()
	d.publish(sd.Change{Reset: true, Up: []string{"a"}})
	for range mostChanges {
		d.publish(sd.Change{Down: []string{"a"}})
		d.publish(sd.Change{Up: []string{"a"}})
	}
	changes, err := d.take(slow)
	if err != nil || len(changes) != 1 || !changes[0].Reset || !slices.Equal(changes[0].Up, []string{"a"}) {
		t.Errorf("want one reset to a, have %d changes, the first %+v, and %v", len(changes), changes[0], err)
	}
}
