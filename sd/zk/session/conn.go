package session

import (
	"fmt"
	"time"

	"example.com/daytime/sd/zk/session/internal/wire"
	gozk "github.com/go-zookeeper/zk"
)

// A Conn is a session's time on one server: from its grant, or its return, to the next disconnect.
// A watch lasts as long as the Conn on which it was armed: users arm and read again on each. Its
// methods may be called concurrently.
//
// A request fails at once on a Conn that is down. On any other it blocks until it is answered, the
// Conn is down, or the Session is closed; it takes no ctx, so who must not wait for it asks in a
// goroutine of its own. With T the session timeout, a Conn goes down within 2T/3 if the server
// falls silent, and within 4T/3 if it answers pings alone; a long list may take as long as it is
// arriving.
//
// A request that is asked for in the moment in which the Conn goes down may wait for the next: for
// T, 10 s at most, and for the end of the dial that is under way then. If it is answered there,
// that says nothing about the watches armed here, so ask Err after it.
//
// Errors are go-zookeeper's, or a *CodeError. Paths that begin with /% are this package's own.
type Conn struct {
	Session int64  // the session's id
	Server  string // host:port, or name/ip:port if a name was resolved

	handle   *handle
	since    time.Time
	requests *wire.Requests
	down     chan struct{} // closed when the Conn is down
}

// Mode is what a persistent watch covers.
type Mode int

const (
	Node Mode = iota // the node, and its list of children
	Tree             // the node and everything below it
)

// watchMarks are in front of the path of a persistent watch, by its Mode.
var watchMarks = [...]wire.Mark{Node: wire.Node, Tree: wire.Tree}

// Down is closed when the Conn is down, as far as is known.
func (c *Conn) Down() <-chan struct{} { return c.down }

// Err returns nil while the Conn is up, and then why it is not: an error that matches ErrTooLong,
// ErrBadFrame or ErrUnanswered; a *CodeError that matches ErrDenied and ErrDisconnected, if the server
// wants SASL; and ErrDisconnected if nothing better is known.
func (c *Conn) Err() error {
	if err := c.requests.Condemned(); err != nil {
		return fmt.Errorf("%s: %w", c.Server, named(err))
	}
	select {
	case <-c.down:
		return ErrDisconnected
	default:
		return nil
	}
}

// ExistsOnce is Exists with a one-shot watch, whose event reaches the function of Start.
func (c *Conn) ExistsOnce(path string) (bool, *gozk.Stat, error) {
	return c.Exists(wire.Once.Path(path))
}

// GetOnce is Get with a one-shot watch, whose event reaches the function of Start.
func (c *Conn) GetOnce(path string) (data []byte, stat *gozk.Stat, err error) {
	return c.Get(wire.Once.Path(path))
}

// ChildrenOnce is Children with a one-shot watch, whose event reaches the function of Start.
func (c *Conn) ChildrenOnce(path string) ([]string, *gozk.Stat, error) {
	return c.Children(wire.Once.Path(path))
}

// AddWatch arms a persistent watch on path, whose events reach the function of Start. The error
// matches ErrNoAddWatch if the server has none, as before ZooKeeper 3.6
// (https://issues.apache.org/jira/browse/ZOOKEEPER-1416), or with WatchManagerOptimized, or refuses
// it twice for whatever reason while all else is well; CanAddWatch is false from then on.
func (c *Conn) AddWatch(path string, m Mode) error {
	return c.try(wire.OpAddWatch, ErrNoAddWatch, path, func() error {
		// The reply has an empty body, which the library reads as a sync's empty path.
		_, err := c.Sync(watchMarks[m].Path(path))
		return err
	})
}

// CanAddWatch is false if the server is known to have no persistent watches, on this Conn and every
// later one to it.
func (c *Conn) CanAddWatch() bool { return !c.handle.session.isMissing(c.Server, wire.OpAddWatch) }
