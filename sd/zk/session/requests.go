package session

import (
	"errors"
	"fmt"
	"strings"

	gozk "github.com/go-zookeeper/zk"
)

// ask makes a request with one result, unless c is down.
func ask[T any](c *Conn, request func(*gozk.Conn) (T, error)) (result T, err error) {
	if err := c.Err(); err != nil {
		return result, err
	}
	c.handle.asking.Add(1)
	defer c.handle.asking.Add(-1)
	result, err = request(c.handle.conn)
	return result, c.handle.session.config.explain(err)
}

// read makes a request whose result has a Stat beside it.
func read[T any](
	c *Conn, request func(*gozk.Conn) (T, *gozk.Stat, error),
) (result T, stat *gozk.Stat, err error) {
	result, err = ask(c, func(conn *gozk.Conn) (result T, err error) {
		result, stat, err = request(conn)
		return result, err
	})
	return result, stat, err
}

// Exists reports whether there is a node, and its Stat.
func (c *Conn) Exists(path string) (there bool, stat *gozk.Stat, err error) {
	return read(c, func(z *gozk.Conn) (bool, *gozk.Stat, error) { return z.Exists(path) })
}

// Children returns the names of a node's children, and the node's Stat.
func (c *Conn) Children(path string) (names []string, stat *gozk.Stat, err error) {
	return read(c, func(z *gozk.Conn) ([]string, *gozk.Stat, error) { return z.Children(path) })
}

// Get returns a node's data and Stat.
func (c *Conn) Get(path string) (data []byte, stat *gozk.Stat, err error) {
	return read(c, func(z *gozk.Conn) ([]byte, *gozk.Stat, error) { return z.Get(path) })
}

// Create creates a node, and returns its path. Flags are go-zookeeper's, such as FlagEphemeral.
func (c *Conn) Create(
	path string, data []byte, flags int32, acl []gozk.ACL,
) (made string, err error) {
	return ask(c, func(z *gozk.Conn) (string, error) { return z.Create(path, data, flags, acl) })
}

// CreatePath creates a node that is missing, with what is missing above it, level by level and
// without data: ordinary nodes, which ZooKeeper does not remove when they are empty. It looks at
// permissions first: a level that may not be created may be there, and the next one tells.
func (c *Conn) CreatePath(path string, acl []gozk.ACL) (denied error) {
	for end := 1; end < len(path); end++ {
		if next := strings.IndexByte(path[end:], '/'); next >= 0 {
			end += next
		} else {
			end = len(path)
		}
		_, err := c.Create(path[:end], nil, 0, acl)
		switch {
		case err == nil, errors.Is(err, gozk.ErrNodeExists):
			denied = nil
		case errors.Is(err, gozk.ErrNoAuth):
			denied = fmt.Errorf("create %s: %w", path[:end], err)
		case errors.Is(err, gozk.ErrNoNode) && denied != nil:
			return denied
		default:
			return err
		}
	}
	return denied
}

// Set replaces a node's data, if it has that version; -1 is any.
func (c *Conn) Set(path string, data []byte, version int32) (stat *gozk.Stat, err error) {
	return ask(c, func(z *gozk.Conn) (*gozk.Stat, error) { return z.Set(path, data, version) })
}

// Delete removes a node, if it has that version; -1 is any.
func (c *Conn) Delete(path string, version int32) error {
	_, err := ask(c, func(z *gozk.Conn) (any, error) { return nil, z.Delete(path, version) })
	return err
}

// Multi does all of ops, or none: go-zookeeper's CreateRequest, DeleteRequest, SetDataRequest and
// CheckVersionRequest. Each has a result, if there was an answer at all; results of more than 4 KiB
// together end the Conn.
func (c *Conn) Multi(ops ...any) (results []gozk.MultiResponse, err error) {
	results, err = ask(c, func(z *gozk.Conn) ([]gozk.MultiResponse, error) { return z.Multi(ops...) })
	for n := range results {
		results[n].Error = c.handle.session.config.explain(results[n].Error)
	}
	return results, err
}

// Sync returns when the server has caught up with what was committed before.
func (c *Conn) Sync(path string) (same string, err error) {
	return ask(c, func(z *gozk.Conn) (string, error) { return z.Sync(path) })
}

// GetACL returns a node's ACL and Stat.
func (c *Conn) GetACL(path string) (acl []gozk.ACL, stat *gozk.Stat, err error) {
	return read(c, func(z *gozk.Conn) ([]gozk.ACL, *gozk.Stat, error) { return z.GetACL(path) })
}

// SetACL replaces a node's ACL, if that has that version; -1 is any.
func (c *Conn) SetACL(path string, acl []gozk.ACL, version int32) (stat *gozk.Stat, err error) {
	return ask(c, func(z *gozk.Conn) (*gozk.Stat, error) { return z.SetACL(path, acl, version) })
}
