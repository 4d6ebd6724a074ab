package watch

import (
	"errors"
	"slices"
	"sync"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/zk/internal/herd"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// maxGets is how many nodes are read at a time where a server cannot read several with one request.
const maxGets = 64

// readChunk is how many nodes are read with one request.
const readChunk = 500

// Statements are those of members about themselves, if they are read.
type statements struct {
	said   map[string]statement
	toRead map[string]struct{} // whose data may be another now
}

// A statement is what one member says of itself.
type statement struct {
	policy.Attributes
	unread   bool   // it could not be read, or not all of it
	instance string // in the layout of another system, for which it stands; empty: for none
}

// readRecord is the statement of a member after a read, and before is the one until then. A node
// that has gone says nothing new: its event comes. A claim is about the node, and not about its
// attributes (see claim in package zk): it is no news of a member.
func readRecord(r session.Read, before statement) (now statement, isNews bool) {
	if errors.Is(r.Err, gozk.ErrNoNode) {
		return statement{}, false
	}
	said, err := record.Parse(r.Data)
	if r.Err != nil || errors.Is(err, record.ErrTooLong) {
		return statement{Attributes: before.Attributes, unread: true}, true
	}
	claimed := said.Claims != 0 && said.Claims == r.Stat.EphemeralOwner
	return statement{Attributes: said.Attributes, unread: err != nil}, !claimed
}

// readingOf is the statement of a child after a read, in the layout of the directory.
func (f *follower) readingOf(
	child string, r session.Read, before statement,
) (now statement, isNews bool) {
	if f.dir.Layout != nil {
		return readLayout(*f.dir.Layout, child, r, before)
	}
	return readRecord(r, before)
}

// describe reads what instances say, of those that come up with c and of members, and adds it to c
// as far as it is news. It fails only if the connection does: what cannot be read does not hide its
// instance.
func (f *follower) describe(c *sd.Change, names []string) error {
	next := f.readAhead(names)
	defer func() {
		for range next { // until it has ended
		}
	}()
	for some := range slices.Chunk(names, readChunk) {
		reads := <-next
		if reads.err != nil {
			return reads.err
		}
		for i, name := range some {
			before, known := f.said[name]
			now, isNews := f.readingOf(name, reads.of[i], before)
			if known && isNews && !c.Reset {
				add(c, name, now, before)
			}
			if isNews || !known {
				f.said[name] = now
			}
		}
	}
	for _, name := range c.Up {
		add(c, name, f.said[name], statement{})
	}
	return nil
}

// add adds to c what an instance says, if it is another thing than before. To tell that is to say
// that all of it was read, unless Unread says otherwise.
func add(c *sd.Change, name string, now, before statement) {
	told := !now.Equal(before.Attributes) || now.instance != before.instance ||
		before.unread && !now.unread
	if told {
		if c.Attributes == nil {
			c.Attributes = make(map[string]policy.Attributes, len(c.Up))
		}
		c.Attributes[name] = now.Attributes
	}
	if now.unread && (told || !before.unread) {
		c.Unread = append(c.Unread, name)
	}
}

// describeList is describe for a whole list, whose parent's Cversion is that much higher than that
// of the list before. Where lists are all that tells of changes, those who were in the last one are
// not read again, unless one was replaced: then it has risen by more than names came and went. In a
// large fleet audits find that.
func (f *follower) describeList(c *sd.Change, rise int32) error {
	before := f.said
	f.statements = statements{make(map[string]statement, len(c.Up)), map[string]struct{}{}}
	if f.persistent || before == nil {
		return f.describe(c, c.Up)
	}
	var joined []string
	for _, name := range c.Up {
		if s, known := before[name]; known {
			f.said[name] = s
		} else {
			joined = append(joined, name)
		}
	}
	left := len(before) - len(f.said)
	if int(rise) != len(joined)+left && len(c.Up) <= herd.Large {
		return f.describe(c, c.Up)
	}
	return f.describe(c, joined)
}

// membersToRead takes out the members whose data may be another now, up aside, whose data is read
// anyway. Those that are about to go, or to be replaced, are not among them: another event comes.
func (f *follower) membersToRead(up []string) (names []string) {
	for _, name := range up {
		delete(f.toRead, name)
	}
	for name := range f.toRead {
		_, member := f.set[name]
		if _, leaving := f.changes.present[name]; member && !leaving {
			names = append(names, name)
		}
	}
	clear(f.toRead)
	return names
}

// readAgain emits what members say that may say something else by now: those whose attributes could
// not be read, and all of them where no event tells.
func (f *follower) readAgain() error {
	for name, s := range f.said {
		if s.unread || !f.persistent {
			f.toRead[name] = struct{}{}
		}
	}
	return f.emitChange(sd.Change{})
}

// A chunk is what was read of some nodes, or why the connection is down.
type chunk struct {
	of  []session.Read
	err error
}

// readAhead reads the data of children, some at a time, while those before them are being decoded,
// which takes as long. The channel is closed after the last, or after an error.
func (f *follower) readAhead(names []string) <-chan chunk {
	chunks := make(chan chunk, 2)
	read := func() {
		defer close(chunks)
		for some := range slices.Chunk(names, readChunk) {
			reads, err := f.readNodes(some)
			chunks <- chunk{reads, err}
			if err != nil {
				return
			}
		}
	}
	if len(names) > readChunk {
		go read()
	} else {
		read()
	}
	return chunks
}

// readNodes reads the data of children, with one request for several of them, and none if their
// names say all. The error is that of the connection, or nil.
func (f *follower) readNodes(names []string) ([]session.Read, error) {
	if f.dir.Layout != nil && !f.dir.Layout.NeedsData() {
		return make([]session.Read, len(names)), nil
	}
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = f.dir.Parent + "/" + name
	}
	reads, err := f.conn.MultiRead(paths)
	if errors.Is(err, session.ErrNoMultiRead) {
		reads, err = getEach(f.conn, paths), nil
	}
	if down := f.conn.Err(); down != nil {
		return nil, down
	}
	if err != nil { // and not of one node: none of them is known
		reads = slices.Repeat([]session.Read{{Err: err}}, len(paths))
	}
	return reads, nil
}

// getEach reads each node with a request of its own, some at a time.
func getEach(c *session.Conn, paths []string) []session.Read {
	reads := make([]session.Read, len(paths))
	var getting sync.WaitGroup
	next := make(chan int)
	for range min(maxGets, len(paths)) {
		getting.Go(func() {
			for i := range next {
				data, stat, err := c.Get(paths[i])
				if reads[i] = (session.Read{Data: data, Err: err}); err == nil {
					reads[i].Stat = *stat
				}
			}
		})
	}
	for i := range paths {
		next <- i
	}
	close(next)
	getting.Wait()
	return reads
}
