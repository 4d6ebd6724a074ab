package zk

import (
	"strings"
	"sync"

	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// mostPending bounds a queue. Who falls further behind lists again.
const mostPending = 1 << 18

// A queue holds the events of one link that concern a directory, in the order
// in which they came, until the directory takes them in. Go-zookeeper's
// goroutine fills it and must not be held up.
type queue struct {
	parent string
	news   chan struct{} // capacity 1

	mu       sync.Mutex
	link     *session.Conn // whose events are taken
	events   []gozk.Event
	overflow bool
	count    int64 // children created or deleted, as far as events tell
}

// attach empties the queue and takes the events of l from now on.
func (q *queue) attach(l *session.Conn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.link, q.events, q.overflow = l, nil, false
}

// push adds an event of l. It does not block.
func (q *queue) push(l *session.Conn, e gozk.Event) {
	if e.Path != q.parent && q.child(e.Path) == "" {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if l != q.link {
		return
	}
	if len(q.events) < mostPending {
		q.events = append(q.events, e)
	} else {
		q.overflow = true
	}
	if e.Path != q.parent && (e.Type == gozk.EventNodeCreated || e.Type == gozk.EventNodeDeleted) {
		q.count++
	}
	select {
	case q.news <- struct{}{}:
	default:
	}
}

// child returns the name of the child that path is, or "" if it is none.
func (q *queue) child(path string) string {
	name, ok := strings.CutPrefix(path, q.parent+"/")
	if !ok || strings.Contains(name, "/") {
		return ""
	}
	return name
}

// drain empties the queue. With overflow, events are missing.
func (q *queue) drain() (events []gozk.Event, overflow bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	events, overflow = q.events, q.overflow
	q.events, q.overflow = nil, false
	return events, overflow
}

// counted says how many children were created or deleted, as far as events tell.
func (q *queue) counted() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count
}
