package session

import (
	"errors"
	"fmt"
	"time"

	gozk "github.com/go-zookeeper/zk"
)

// A Conn is a session's time on one server: from its grant, or its return, to the next disconnect.
// A watch lasts as long as the Conn on which it was armed: users arm and read again on each. Its
// methods may be called concurrently. A request blocks until it is answered or the Conn is down,
// and fails at once on one that is down. One that is asked for in the moment in which it goes down
// may be answered on the next, and says nothing then about the watches armed here, so ask Err after
// it.
//
// Errors are go-zookeeper's, or a *CodeError. Paths that begin with /% are this package's own.
type Conn struct {
	Session int64  // the session's id
	Server  string // host:port, or name/ip:port if a name was resolved

	handle  *handle
	since   time.Time
	replies *replies
	down    chan struct{} // closed when the Conn is down
}

// Mode is what a persistent watch covers.
type Mode int

const (
	Node Mode = iota // the node, and its list of children
	Tree             // the node and everything below it
)

// Down is closed when the Conn is down, as far as is known.
func (c *Conn) Down() <-chan struct{} { return c.down }

// Err returns nil while the Conn is up, and then why it is not: an error that matches ErrTooLong,
// ErrBadFrame or ErrUnanswered, and ErrDisconnected if nothing better is known.
func (c *Conn) Err() error {
	if err := c.replies.refusal(); err != nil {
		return fmt.Errorf("%s: %w", c.Server, err)
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
	return c.Exists(marked(markOnce, path))
}

// GetOnce is Get with a one-shot watch, whose event reaches the function of Start.
func (c *Conn) GetOnce(path string) (data []byte, stat *gozk.Stat, err error) {
	return c.Get(marked(markOnce, path))
}

// ChildrenOnce is Children with a one-shot watch, whose event reaches the function of Start.
func (c *Conn) ChildrenOnce(path string) ([]string, *gozk.Stat, error) {
	return c.Children(marked(markOnce, path))
}

// AddWatch arms a persistent watch on path, whose events reach the function of Start. The error
// matches ErrNoAddWatch if the server has none, as before ZooKeeper 3.6
// (https://issues.apache.org/jira/browse/ZOOKEEPER-1416), or with WatchManagerOptimized, or refuses
// it twice for whatever reason while all else is well; CanAddWatch is false from then on.
func (c *Conn) AddWatch(path string, m Mode) error {
	return c.try(opAddWatch, ErrNoAddWatch, path, func() error {
		// The reply has an empty body, which the library reads as a sync's empty path.
		_, err := c.Sync(marked(markWatch[m], path))
		return err
	})
}

// CanAddWatch is false if the server is known to have no persistent watches, on this Conn and every
// later one to it.
func (c *Conn) CanAddWatch() bool { return !c.handle.session.isMissing(c.Server, opAddWatch) }

// maxReads is how many nodes are read with one request.
const maxReads = 500

// A Read is what MultiRead has read of one node.
type Read struct {
	Data []byte
	Stat gozk.Stat
	Err  error // such as go-zookeeper's ErrNoNode and ErrNoAuth, or ErrTooLong
}

// MultiRead reads the data of the nodes, 500 with one request (opcode 22, ZooKeeper 3.6,
// https://issues.apache.org/jira/browse/ZOOKEEPER-1407), and returns them in the same order. A
// reply over 16 MiB is asked for again in halves. The error is that of a whole request; it matches
// ErrNoMultiRead if the server has none, as before ZooKeeper 3.6, or refuses it twice for whatever
// reason while all else is well.
func (c *Conn) MultiRead(paths []string) ([]Read, error) {
	reads := make([]Read, 0, len(paths))
	for len(paths) > 0 {
		n := min(len(paths), maxReads)
		some, err := c.multiRead(paths[:n])
		if err != nil {
			return nil, err
		}
		reads, paths = append(reads, some...), paths[n:]
	}
	return reads, nil
}

// multiRead reads the nodes with one request, or with more if the reply is too long.
func (c *Conn) multiRead(paths []string) ([]Read, error) {
	if c.handle.session.isMissing(c.Server, opMultiRead) {
		return nil, fmt.Errorf("%s: %w", c.Server, ErrNoMultiRead)
	}
	body, err := c.askMultiRead(paths)
	switch {
	case errors.Is(err, ErrTooLong) && len(paths) == 1:
		return []Read{{Err: err}}, nil
	case errors.Is(err, ErrTooLong):
		first, err := c.multiRead(paths[:len(paths)/2])
		if err != nil {
			return nil, err
		}
		second, err := c.multiRead(paths[len(paths)/2:])
		return append(first, second...), err
	case err != nil:
		return nil, err
	}
	return decodeReads(body, len(paths))
}

// askMultiRead sends one request, and returns the body of the reply.
func (c *Conn) askMultiRead(paths []string) (body []byte, err error) {
	var tooLong error
	err = c.try(opMultiRead, ErrNoMultiRead, paths[0], func() error {
		read := c.replies.prepare(paths)
		defer c.replies.forget(read)
		_, err := c.Sync(read.mark)
		var answered bool
		body, answered, tooLong = read.result()
		switch {
		case tooLong != nil:
			return nil
		case err == nil && !answered: // sent on a later connection, as a sync of nobody's path
			return ErrDisconnected
		}
		return err
	})
	if err == nil {
		err = tooLong
	}
	return body, err
}
