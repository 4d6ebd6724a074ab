package watch

import (
	"fmt"
	"sync"
	"testing"

	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

func created(path string) gozk.Event { return gozk.Event{Type: gozk.EventNodeCreated, Path: path} }

// Only events of the directory or a child of it are taken, and of the Conn that the queue is for.
// Children that come or go are counted.
func TestQueueFilters(t *testing.T) {
	d := unconnected(t)
	conn, other := &session.Conn{}, &session.Conn{}
	for path, want := range map[string]string{
		parent:                         "",
		parent + "/" + alice:           alice,
		parent + "/":                   "",
		parent + "/" + alice + "/node": "",
		parent + "2/" + alice:          "",
		"/" + alice:                    "",
		"":                             "",
		"/other" + parent + "/a":       "",
	} {
		if have := d.child(path); have != want {
			t.Errorf("child of %q: want %q, have %q", path, want, have)
		}
		for kind, counts := range map[gozk.EventType]bool{
			gozk.EventNodeCreated: true, gozk.EventNodeDeleted: true, gozk.EventNodeDataChanged: false, gozk.EventNodeChildrenChanged: false,
		} {
			q := d.subscribe(conn)
			d.Event(other, gozk.Event{Type: kind, Path: path})
			d.Event(conn, gozk.Event{Type: kind, Path: path})
			d.unsubscribe(q)
			d.Event(conn, gozk.Event{Type: kind, Path: path})
			events, overflow := q.drain()
			if taken := want != "" || path == parent; taken != (len(events) == 1) || overflow {
				t.Errorf("%v of %q: want it taken: %t, have %v", kind, path, taken, events)
			}
			if counts = counts && want != ""; counts != (q.counted().children == 1) {
				t.Errorf("%v of %q: want it counted: %t, have %d", kind, path, counts, q.counted().children)
			}
		}
	}
}

// A reader that falls too far behind loses events, hears so once, and starts again; the count is
// not lost.
func TestQueueOverflows(t *testing.T) {
	q := newQueue(nil)
	for range maxPending + 5 {
		q.push(created(alice), true)
	}
	if events, overflow := q.drain(); len(events) != maxPending || !overflow {
		t.Errorf("want %d and an overflow, have %d, %t", maxPending, len(events), overflow)
	}
	q.push(created(alice), true)
	if events, overflow := q.drain(); len(events) != 1 || overflow {
		t.Errorf("afterwards: want 1 and no overflow, have %d, %t", len(events), overflow)
	}
	if have := q.counted().children; have != maxPending+6 {
		t.Errorf("counted: want %d, have %d", maxPending+6, have)
	}
}

// The order is kept, and no event without news.
func TestQueueKeepsOrder(t *testing.T) {
	q := newQueue(nil)
	const events = 10000
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range events {
			q.push(created(fmt.Sprint(n)), true)
		}
	})
	for next := 0; next < events; {
		<-q.news
		list, overflow := q.drain()
		if overflow {
			t.Fatal("overflow")
		}
		for _, e := range list {
			if want := fmt.Sprint(next); e.Path != want {
				t.Fatalf("want %s, have %s", want, e.Path)
			}
			next++
		}
	}
	wg.Wait()
}

func BenchmarkQueue(b *testing.B) {
	q := newQueue(nil)
	event := created(parent + "/" + alice)
	b.ReportAllocs()
	for b.Loop() {
		q.push(event, true)
		q.drain()
	}
}
