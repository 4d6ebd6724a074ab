package session

import gozk "github.com/go-zookeeper/zk"

// ask makes a request, unless c is down.
func (c *Conn) ask(request func(*gozk.Conn) error) error {
	if err := c.Err(); err != nil {
		return err
	}
	c.handle.asking.Add(1)
	defer c.handle.asking.Add(-1)
	return c.handle.session.config.explain(request(c.handle.conn))
}

// Exists reports whether there is a node, and its Stat.
func (c *Conn) Exists(path string) (there bool, stat *gozk.Stat, err error) {
	err = c.ask(func(conn *gozk.Conn) error {
		there, stat, err = conn.Exists(path)
		return err
	})
	return there, stat, err
}

// Children returns the names of a node's children, and the node's Stat.
func (c *Conn) Children(path string) (names []string, stat *gozk.Stat, err error) {
	err = c.ask(func(conn *gozk.Conn) error {
		names, stat, err = conn.Children(path)
		return err
	})
	return names, stat, err
}

// Get returns a node's data and Stat.
func (c *Conn) Get(path string) (data []byte, stat *gozk.Stat, err error) {
	err = c.ask(func(conn *gozk.Conn) error {
		data, stat, err = conn.Get(path)
		return err
	})
	return data, stat, err
}

// Create creates a node, and returns its path. Flags are go-zookeeper's, such as FlagEphemeral.
func (c *Conn) Create(
	path string, data []byte, flags int32, acl []gozk.ACL,
) (made string, err error) {
	err = c.ask(func(conn *gozk.Conn) error {
		made, err = conn.Create(path, data, flags, acl)
		return err
	})
	return made, err
}

// Set replaces a node's data, if it has that version; -1 is any.
func (c *Conn) Set(path string, data []byte, version int32) (stat *gozk.Stat, err error) {
	err = c.ask(func(conn *gozk.Conn) error {
		stat, err = conn.Set(path, data, version)
		return err
	})
	return stat, err
}

// Delete removes a node, if it has that version; -1 is any.
func (c *Conn) Delete(path string, version int32) error {
	return c.ask(func(conn *gozk.Conn) error { return conn.Delete(path, version) })
}

// Multi does all of ops, or none: go-zookeeper's CreateRequest, DeleteRequest, SetDataRequest and
// CheckVersionRequest. Each has a result, if there was an answer at all; results of more than 4 KiB
// together end the Conn.
func (c *Conn) Multi(ops ...any) (results []gozk.MultiResponse, err error) {
	err = c.ask(func(conn *gozk.Conn) error {
		results, err = conn.Multi(ops...)
		return err
	})
	for n := range results {
		results[n].Error = c.handle.session.config.explain(results[n].Error)
	}
	return results, err
}

// Sync returns when the server has caught up with what was committed before.
func (c *Conn) Sync(path string) (same string, err error) {
	err = c.ask(func(conn *gozk.Conn) error {
		same, err = conn.Sync(path)
		return err
	})
	return same, err
}

// GetACL returns a node's ACL and Stat.
func (c *Conn) GetACL(path string) (acl []gozk.ACL, stat *gozk.Stat, err error) {
	err = c.ask(func(conn *gozk.Conn) error {
		acl, stat, err = conn.GetACL(path)
		return err
	})
	return acl, stat, err
}

// SetACL replaces a node's ACL, if that has that version; -1 is any.
func (c *Conn) SetACL(path string, acl []gozk.ACL, version int32) (stat *gozk.Stat, err error) {
	err = c.ask(func(conn *gozk.Conn) error {
		stat, err = conn.SetACL(path, acl, version)
		return err
	})
	return stat, err
}
