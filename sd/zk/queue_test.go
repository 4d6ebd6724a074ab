package zk

import (
	"fmt"
	"sync"
	"testing"

	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

func newQueue(l *session.Conn) *queue {
	q := &queue{parent: defaultPath, news: make(chan struct{}, 1)}
	q.attach(l)
	return q
}

func created(path string) gozk.Event { return gozk.Event{Type: gozk.EventNodeCreated, Path: path} }

// Only what concerns the directory or a child of it is taken.
func TestQueueFiltersByPath(t *testing.T) {
	for path, want := range map[string]string{
		defaultPath:                         "",
		defaultPath + "/" + alice:           alice,
		defaultPath + "/":                   "",
		defaultPath + "/" + alice + "/node": "",
		defaultPath + "2/" + alice:          "",
		"/" + alice:                         "",
		"":                                  "",
		"/other" + defaultPath + "/a":       "",
	} {
		l := &session.Conn{}
		q := newQueue(l)
		if have := q.child(path); have != want {
			t.Errorf("child of %q: want %q, have %q", path, want, have)
		}
		q.push(l, created(path))
		events, _ := q.drain()
		if taken := want != "" || path == defaultPath; taken != (len(events) == 1) {
			t.Errorf("%q: want it taken: %t, have %v", path, taken, events)
		}
		if counted := want != ""; counted != (q.counted() == 1) {
			t.Errorf("%q: want it counted: %t, have %d", path, counted, q.counted())
		}
	}
}

// Events of another link, or of none, are not taken, and attaching drops what
// there is. The count goes on.
func TestQueueFiltersByLink(t *testing.T) {
	first, second := &session.Conn{}, &session.Conn{}
	q := newQueue(first)
	event := created(defaultPath + "/" + alice)
	q.push(first, event)
	q.push(second, event)
	q.attach(second)
	if events, overflow := q.drain(); len(events) != 0 || overflow {
		t.Errorf("after attach: want nothing, have %v, %t", events, overflow)
	}
	q.push(first, event)
	q.push(second, event)
	q.push(second, event)
	if events, _ := q.drain(); len(events) != 2 || q.counted() != 3 {
		t.Errorf("want 2 events and 3 counted, have %d and %d", len(events), q.counted())
	}
	q.attach(nil)
	q.push(second, event)
	if events, _ := q.drain(); len(events) != 0 || q.counted() != 3 {
		t.Errorf("attached to none: have %d and %d counted", len(events), q.counted())
	}
}

// Children that come or go are counted, and nothing else is.
func TestQueueCounts(t *testing.T) {
	for kind, want := range map[gozk.EventType]int64{
		gozk.EventNodeCreated: 1, gozk.EventNodeDeleted: 1, gozk.EventNodeDataChanged: 0, gozk.EventNodeChildrenChanged: 0,
	} {
		l := &session.Conn{}
		q := newQueue(l)
		q.push(l, gozk.Event{Type: kind, Path: defaultPath})
		q.push(l, gozk.Event{Type: kind, Path: defaultPath + "/" + alice})
		if have := q.counted(); have != want {
			t.Errorf("%v: want %d, have %d", kind, want, have)
		}
	}
}

// Whoever falls too far behind loses events, hears so once, and starts again;
// the count is not lost.
func TestQueueOverflows(t *testing.T) {
	l := &session.Conn{}
	q := newQueue(l)
	event := created(defaultPath + "/" + alice)
	for range mostPending + 5 {
		q.push(l, event)
	}
	if events, overflow := q.drain(); len(events) != mostPending || !overflow {
		t.Errorf("want %d and an overflow, have %d, %t", mostPending, len(events), overflow)
	}
	q.push(l, event)
	if events, overflow := q.drain(); len(events) != 1 || overflow {
		t.Errorf("afterwards: want 1 and no overflow, have %d, %t", len(events), overflow)
	}
	if have := q.counted(); have != mostPending+6 {
		t.Errorf("counted: want %d, have %d", mostPending+6, have)
	}
}

// The order is kept, and no event without news.
func TestQueueKeepsOrder(t *testing.T) {
	l := &session.Conn{}
	q := newQueue(l)
	const events = 10000
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range events {
			q.push(l, created(fmt.Sprintf("%s/%d", defaultPath, n)))
		}
	})
	for next := 0; next < events; {
		<-q.news
		list, overflow := q.drain()
		if overflow {
			t.Fatal("overflow")
		}
		for _, e := range list {
			if want := fmt.Sprint(next); q.child(e.Path) != want {
				t.Fatalf("want %s, have %s", want, e.Path)
			}
			next++
		}
	}
	wg.Wait()
}

func BenchmarkQueue(b *testing.B) {
	l := &session.Conn{}
	q := newQueue(l)
	event := created(defaultPath + "/" + alice)
	b.ReportAllocs()
	for b.Loop() {
		q.push(l, event)
		q.drain()
	}
}
