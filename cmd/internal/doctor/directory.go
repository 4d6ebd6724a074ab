package doctor

import (
	"errors"
	"path"
	"slices"
	"strings"

	"example.com/daytime/cmd/internal/doctor/acl"
	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/session"
)

// A directory is what was read of one.
type directory struct {
	path      string
	err       error // the reading ended here
	found     bool
	ephemeral bool
	data      []byte
	version   int32
	dataErr   error
	acl       acl.List
	aclErr    error
	listErr   error
	sessions  map[int64]bool // that there are; nil: not known

	// Of one that is missing: the nearest directory above it that is there, and directories that
	// have instances in them.
	above  string
	others []string
}

// read reads all of the directory. Its error is that of a connection.
func (z *zookeeper) read(c *session.Conn) error {
	d := &z.dir
	found, stat, err := c.Exists(d.path)
	if err != nil || !found {
		if err == nil {
			d.lookAround(c)
		}
		return err
	}
	d.found, d.version, d.ephemeral = true, stat.Version, stat.EphemeralOwner != 0
	entries, _, err := c.GetACL(d.path)
	if d.aclErr = err; isDown(err) {
		return err
	}
	for _, a := range entries {
		d.acl = append(d.acl, acl.Entry{Perms: a.Perms, Scheme: a.Scheme, ID: a.ID})
	}
	if d.data, _, d.dataErr = c.Get(d.path); isDown(d.dataErr) {
		return d.dataErr
	}
	names, _, err := c.Children(d.path)
	if d.listErr = err; err != nil {
		if isDown(err) {
			return err
		}
		return nil
	}
	slices.Sort(names)
	reads, err := readNodes(c, d.path, names)
	if err != nil {
		return err
	}
	for i, name := range names {
		if !errors.Is(reads[i].err, session.ErrNoNode) { // left since the list
			z.nodes = append(z.nodes, newNode(name, reads[i]))
		}
	}
	return nil
}

// isDown reports whether err is of a connection that cannot be used any more.
func isDown(err error) bool {
	return errors.Is(err, session.ErrDisconnected) || errors.Is(err, session.ErrClosed) ||
		errors.Is(err, session.ErrUnanswered) || errors.Is(err, session.ErrBadFrame)
}

// A read is what was read of one node.
type read struct {
	err                 error
	data                []byte
	owner, czxid, ctime int64
}

// readNodes reads the children of a directory: with few requests where the server has multiRead,
// and one after the other elsewhere.
func readNodes(c *session.Conn, dir string, names []string) ([]read, error) {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = dir + "/" + name
	}
	reads := make([]read, len(paths))
	many, err := c.MultiRead(paths)
	if err == nil {
		for i, r := range many {
			reads[i] = read{r.Err, r.Data, r.Stat.EphemeralOwner, r.Stat.Czxid, r.Stat.Ctime}
		}
		return reads, nil
	}
	if !errors.Is(err, session.ErrNoMultiRead) {
		return nil, err
	}
	for i, p := range paths {
		data, stat, err := c.Get(p)
		if isDown(err) {
			return nil, err
		}
		if reads[i].err = err; err == nil {
			reads[i] = read{nil, data, stat.EphemeralOwner, stat.Czxid, stat.Ctime}
		}
	}
	return reads, nil
}

// maxAround is how many nodes are looked at for the directory that was meant.
const maxAround = 50

// lookAround looks for the directory that was meant in the place of a missing one: what is there
// above it, and which directories below that have instances in them.
func (d *directory) lookAround(c *session.Conn) {
	d.above = path.Dir(d.path)
	for d.above != "/" {
		if found, _, err := c.Exists(d.above); err != nil || found {
			break
		}
		d.above = path.Dir(d.above)
	}
	places, seen := []string{d.above}, 0
	if d.above != "/" {
		places = append(places, "/")
	}
	for len(places) > 0 && seen < maxAround && len(d.others) < 3 {
		place := places[0]
		places = places[1:]
		names, _, err := c.Children(place)
		seen++
		if err != nil {
			continue
		}
		if slices.ContainsFunc(names, func(s string) bool { return sd.CheckInstance(s) == nil }) {
			d.others = append(d.others, place)
			continue
		}
		for _, name := range names {
			next := path.Join(place, name)
			if next != "/zookeeper" && strings.Count(next, "/") <= strings.Count(d.path, "/")+1 &&
				!slices.Contains(places, next) && len(places) < maxAround {
				places = append(places, next)
			}
		}
	}
}
