package watch

import (
	"strings"
	"sync"
	"time"

	"example.com/daytime/sd/internal/signal"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// maxPending bounds a queue. A follower that is further behind lists again.
const maxPending = 1 << 18

// A queue holds the events of one Conn that concern a directory, in the order in which they came,
// until the follower takes them in. Go-zookeeper's goroutine fills it and must not be held up.
type queue struct {
	conn *session.Conn
	news signal.Signal

	mu       sync.Mutex
	events   []event
	overflow bool
	counts   counts
}

// Counts are what has come in a queue.
type counts struct {
	children int64 // created or deleted
	data     int64 // changes of the directory's own data
	events   int64
}

// An event is one of ZooKeeper's, and when it came.
type event struct {
	gozk.Event
	at     time.Time
	number int64 // in the order in which they came
}

func newQueue(c *session.Conn) *queue { return &queue{conn: c, news: signal.New()} }

// push adds an event, of a child or of the directory itself. It does not block.
func (q *queue) push(e gozk.Event, ofChild bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.counts.events++
	if len(q.events) < maxPending {
		q.events = append(q.events, event{e, time.Now(), q.counts.events})
	} else {
		q.overflow = true
	}
	if ofChild && (e.Type == gozk.EventNodeCreated || e.Type == gozk.EventNodeDeleted) {
		q.counts.children++
	}
	if !ofChild && e.Type == gozk.EventNodeDataChanged {
		q.counts.data++
	}
	q.news.Set()
}

// drain empties the queue. With overflow, events are missing.
func (q *queue) drain() (events []event, overflow bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	events, overflow = q.events, q.overflow
	q.events, q.overflow = nil, false
	return events, overflow
}

// counted says what has come by now.
func (q *queue) counted() counts {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.counts
}

// childName returns the name of the child of parent that path is, or "" if it is none.
func childName(parent, path string) string {
	name, ok := strings.CutPrefix(path, parent+"/")
	if !ok || strings.Contains(name, "/") {
		return ""
	}
	return name
}
