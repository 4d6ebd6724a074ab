package session

import (
	"errors"
	"fmt"

	"example.com/daytime/sd/zk/session/internal/wire"
	gozk "github.com/go-zookeeper/zk"
)

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
	if c.handle.session.isMissing(c.Server, wire.OpMultiRead) {
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
	reads := make([]Read, 0, len(paths))
	err = wire.EachRead(body, len(paths), func(data []byte, stat gozk.Stat, code wire.Code) {
		reads = append(reads, Read{data, stat, errorOf(int32(code))})
	})
	return reads, err
}

// askMultiRead sends one request, and returns the body of the reply.
func (c *Conn) askMultiRead(paths []string) (body []byte, err error) {
	var tooLong error
	err = c.try(wire.OpMultiRead, ErrNoMultiRead, paths[0], func() error {
		read := c.requests.Prepare(paths)
		defer c.requests.Forget(read)
		_, err := c.Sync(read.Mark)
		var answered bool
		body, answered, tooLong = read.Result()
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
