package watch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/layout"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// maxMissed is how often events may be missing before persistent watches are given up for the
// directory, where the target leaves the choice to us. They tell nothing of a child that this
// client may not read (CVE-2024-23944), though the list names it; a watch for children does.
const maxMissed = 2

// ErrMissing is of a directory that a server says there is not.
var ErrMissing = errors.New("there is no directory")

// Why a Watch ended.
var (
	errRemoved  = errors.New("directory removed")
	errOutdated = errors.New("answers from an older state than was seen before")
	errMissed   = errors.New("an event was missed")
)

// A Config says which directory is watched, and how.
type Config struct {
	Parent   string // its path
	Mode     Mode
	NoPolicy bool // none is followed, whatever the directory says
	// Repaired is called when an audit has found that an event was missed, under a lock: it must
	// not block. Nil is none.
	Repaired func()
	// Layout is that of another system's children, nil for ours. Those have no policy.
	Layout *layout.Layout
}

// A Directory is one znode whose children are the instances. It owns the watch on that path, and
// nothing else arms one: before ZooKeeper 3.9 a session has one watch mode for a path, and another
// watch on the same path ends it (https://issues.apache.org/jira/browse/ZOOKEEPER-4466). So there
// is one persistent watch on a Conn, and its events go to every follower, which is one Watch under
// way. The followers share their knowledge of the directory as well.
type Directory struct {
	Config
	session  *session.Session
	lists    atomic.Int64
	repaired atomic.Int64           // how often an audit found something missing
	missing  atomic.Pointer[string] // the server that says there is no directory
	arming   chan struct{}          // capacity 1: the turn to arm the watch

	mu         sync.Mutex
	queues     map[*queue]struct{}
	armed      *session.Conn // where the persistent watch is
	tree       *session.Conn // where it was armed, and may be still
	broken     chan struct{} // closed and replaced when an event was missed
	using      Mode          // as last used
	size       int           // of the last list
	newest     gozk.Stat     // of the parent, as of the newest list
	generation int64         // of the data that newest is about
	outdated   time.Time     // since when servers answer from an older state; zero if not
	refusal    error         // why the list is not asked for before refused
	refused    time.Time
}

// New returns a Directory in s, whose events are to be passed on to it. It does no I/O.
func New(s *session.Session, c Config) *Directory {
	return &Directory{
		session: s,
		Config:  c,
		arming:  make(chan struct{}, 1),
		queues:  map[*queue]struct{}{},
		broken:  make(chan struct{}),
	}
}

// Watch is sd.Backend's. It runs in its caller's goroutine.
func (d *Directory) Watch(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	err := d.follow(ctx, want, emit)
	select {
	case <-d.session.Done():
		return session.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	default:
		return fmt.Errorf("zk: watch %s: %w", d.Parent, err)
	}
}

// follow follows the directory for as long as there is one Conn, and returns the reason of its end.
func (d *Directory) follow(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	if err := d.refuses(); err != nil {
		return err
	}
	c, err := d.session.Wait(ctx)
	if err != nil {
		return err
	}
	err = d.newFollower(c, want, emit).run(ctx)
	d.missing.Store(nil)
	if ctx.Err() == nil {
		d.disarm(c)
	}
	if why := c.Err(); why != nil && !errors.Is(err, session.ErrNoAddWatch) {
		err = why
	}
	err = d.Mode.Explain(err)
	if errors.Is(err, session.ErrTooLong) { // it will be again, until a person mends it
		d.refuse(err)
	}
	return err
}

// Missing is why a Watch holds on a session that is up, and has no list: nil unless a server has
// said that there is no directory.
func (d *Directory) Missing() error {
	server := d.missing.Load()
	if server == nil {
		return nil
	}
	return fmt.Errorf("%w %s in the ZooKeeper at %s (connected); nobody has registered there",
		ErrMissing, d.Parent, *server)
}

// refuse asks for no list for 10 to 30 s, and has err returned instead.
func (d *Directory) refuse(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refusal, d.refused = err, time.Now().Add(10*time.Second+rand.N(20*time.Second))
}

func (d *Directory) refuses() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Now().Before(d.refused) {
		return d.refusal
	}
	return nil
}

// Event passes an event on to the followers. It does not block.
func (d *Directory) Event(c *session.Conn, e gozk.Event) {
	if e.Path != d.Parent && d.child(e.Path) == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for q := range d.queues {
		if q.conn == c {
			q.push(e, e.Path != d.Parent)
		}
	}
}

// child returns the name of the child that path is, or "" if it is none.
func (d *Directory) child(path string) string { return childName(d.Parent, path) }

// subscribe returns a queue of the events of c from now on.
func (d *Directory) subscribe(c *session.Conn) *queue {
	q := newQueue(c)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queues[q] = struct{}{}
	return q
}

func (d *Directory) unsubscribe(q *queue) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.queues, q)
}

// admit reports whether stat, of a list of size names, is not older than what was seen before: a
// server may lag behind the one that was asked before it, and even have a directory that was
// deleted since. A directory that was made later is younger, whatever its zxids: after a wipe they
// begin again. None lags for two session timeouts and a sync: then the data has gone back, and is
// believed.
func (d *Directory) admit(stat *gozk.Stat, size int) bool {
	generation, timeout := d.session.Generation(), d.session.Timeout()
	d.mu.Lock()
	defer d.mu.Unlock()
	older := generation == d.generation &&
		stat.Pzxid < d.newest.Pzxid && stat.Ctime <= d.newest.Ctime
	switch {
	case older && d.outdated.IsZero():
		d.outdated = time.Now()
		return false
	case older && time.Since(d.outdated) < 2*timeout:
		return false
	}
	d.generation, d.newest, d.outdated, d.size = generation, *stat, time.Time{}, size
	return true
}

// lastSize is how many children there were at the last list.
func (d *Directory) lastSize() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.size
}

// Stats says how often the directory was listed, how often an audit found that an event was missed,
// and how it was watched last.
func (d *Directory) Stats() (lists, repaired int64, using Mode) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lists.Load(), d.repaired.Load(), d.using
}
