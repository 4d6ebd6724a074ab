package zkdev

import (
	"slices"
	"strings"
)

// A request is one operation of a client while it is being carried out, under
// the server's lock from beginning to end. Handlers read their arguments from
// in and leave their result in out. A result that was begun before an error was
// met is thrown away by seal.
type request struct {
	*Server
	c   *conn
	op  Op
	in  *decoder
	out *encoder
}

type handler func(*request) Code

// handlerOf returns nil for an operation that is not served.
func handlerOf(op Op) handler {
	switch op {
	case OpPing:
		return func(*request) Code { return OK }
	case OpExists:
		return (*request).exists
	case OpGetData:
		return (*request).getData
	case OpGetChildren, OpGetChildren2:
		return (*request).getChildren
	case OpGetACL:
		return (*request).getACL
	case OpSync:
		return (*request).sync
	case OpSetWatches, OpSetWatches2:
		return (*request).setWatches
	case OpAddWatch:
		return (*request).addWatch
	case OpCheckWatches, OpRemoveWatches:
		return (*request).findWatches
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL, OpDelete, OpSetData, OpSetACL, OpCheck:
		return (*request).write
	case OpMulti:
		return (*request).multi
	case OpCloseSession:
		return (*request).close
	}
	return nil
}

// changes says whether an operation takes a zxid.
func (op Op) changes() bool {
	switch op {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL, OpDelete, OpSetData, OpSetACL, OpCheck, OpMulti, OpCloseSession:
		return true
	}
	return false
}

// request carries out one operation and queues its reply, with the last zxid
// that the client can have seen the effects of. It returns false when the
// connection is to be closed: after the end of its session, after a failed
// proof of identity, after an operation that is not served, and, without a
// reply, when the session has moved to another server. Other errors cost nothing
// but the request.
func (s *Server) request(c *conn, d *decoder) bool {
	xid, op := d.int32(), Op(d.int32())
	if d.err != nil {
		return false
	}
	s.counters.requests[op]++
	switch {
	case slices.Contains(s.faults.closeOn, op):
		return false
	case op != OpPing && s.faults.ignores(c):
		return true
	}
	c.mute = s.faults.dropsReply(op)
	if op == OpAuth {
		return s.auth(c, xid, d)
	}
	s.touch(c.session)
	handle := handlerOf(op)
	if handle == nil || s.faults.lacks(op) {
		s.send(c, newReply().seal(xid, -1, Unimplemented))
		return false
	}
	r := &request{s, c, op, d, newReply()}
	code := r.perform(handle)
	if code == SessionMoved {
		return false
	}
	if op == OpPing {
		xid = xidPing
	}
	s.send(c, s.faults.misstate(op, r.out.seal(xid, s.view(c).zxid, code)))
	return !c.mute && op != OpCloseSession
}

// perform carries out the operation, or fails it on command. An operation that
// changes something, or asks to be up to date, ends the lag of its client
// first.
func (r *request) perform(handle handler) Code {
	if r.op.changes() || r.op == OpSync {
		r.catchUp(r.c)
	}
	code := r.faults.failure(r.op)
	switch {
	case code == OK:
		return handle(r)
	case r.op.changes():
		return r.commit(r.clientTxn(), func(*txn) Code { return code })
	}
	return code
}

// auth is not a request of the session: it does not touch it, and its reply
// carries no zxid.
func (s *Server) auth(c *conn, xid int32, d *decoder) bool {
	d.int32() // the type, unused
	scheme, secret := d.string(), d.buffer()
	if d.err != nil {
		return false
	}
	code := s.faults.failure(OpAuth)
	if code == OK {
		c.ids, code = authenticate(scheme, secret, c.ids)
	}
	s.send(c, s.faults.misstate(OpAuth, newReply().seal(xid, 0, code)))
	return code == OK && !c.mute
}

// readable finds a znode that the client may read.
func (r *request) readable(path string, perms int32) (*znode, Code) {
	n := r.view(r.c).get(path)
	if n == nil {
		return nil, NoNode
	}
	if !permits(n.acl, perms, r.c.ids) {
		return nil, NoAuth
	}
	return n, OK
}

// exists is the only read that leaves a watch when there is no such znode, and
// that needs no permission.
func (r *request) exists() Code {
	path, watch := r.in.string(), r.in.bool()
	switch {
	case r.in.err != nil:
		return MarshallingError
	case strings.Contains(path, "\x00"):
		return BadArguments
	}
	if watch {
		r.watches.data.add(path, r.c.id, oneShot)
	}
	n := r.view(r.c).get(path)
	if n == nil {
		return NoNode
	}
	r.out.stat(n.stat())
	return OK
}

// getData and getChildren leave a watch only when they succeed: a znode that is
// not there can be watched by exists alone.
func (r *request) getData() Code {
	path, watch := r.in.string(), r.in.bool()
	if r.in.err != nil {
		return MarshallingError
	}
	n, code := r.readable(path, permRead)
	if code != OK {
		return code
	}
	if watch {
		r.watches.data.add(path, r.c.id, oneShot)
	}
	r.out.buffer(n.data)
	r.out.stat(n.stat())
	return OK
}

// getChildren serves both of its operations: the newer one adds the Stat, which
// clients want for its Pzxid and Cversion.
func (r *request) getChildren() Code {
	path, watch := r.in.string(), r.in.bool()
	if r.in.err != nil {
		return MarshallingError
	}
	n, code := r.readable(path, permRead)
	if code != OK {
		return code
	}
	if watch {
		r.watches.child.add(path, r.c.id, oneShot)
	}
	r.out.strings(r.view(r.c).children(path))
	if r.op == OpGetChildren2 {
		r.out.stat(n.stat())
	}
	return OK
}

// getACL needs one of two permissions, and shows hashes only to those who have
// the second.
func (r *request) getACL() Code {
	path := r.in.string()
	if r.in.err != nil {
		return MarshallingError
	}
	n, code := r.readable(path, permRead|permAdmin)
	if code != OK {
		return code
	}
	list := n.acl
	if !permits(list, permAdmin, r.c.ids) {
		list = redact(list)
	}
	r.out.acls(list)
	r.out.stat(n.stat())
	return OK
}

// sync has nothing to wait for: there is one server, and perform has ended the
// client's lag.
func (r *request) sync() Code {
	path := r.in.string()
	if r.in.err != nil {
		return MarshallingError
	}
	r.out.string(path)
	return OK
}

// setWatches is what a client sends after it has reconnected, and what makes
// one-shot watches seem to outlive connections. The newer operation carries
// persistent watches too.
func (r *request) setWatches() Code {
	want := rearm{
		lastZxid: r.in.int64(),
		data:     r.in.strings(), exists: r.in.strings(), child: r.in.strings(),
	}
	if r.op == OpSetWatches2 {
		want.persist, want.recursively = r.in.strings(), r.in.strings()
	}
	if r.in.err != nil {
		return MarshallingError
	}
	r.deliver(r.watches.rearm(r.c.id, r.view(r.c), want))
	return OK
}

// addWatch leaves a persistent watch, whether or not the znode is there. Its
// reply carries one more code, which is always OK.
func (r *request) addWatch() Code {
	path, mode := r.in.string(), watchMode(r.in.int32())
	if r.in.err != nil || mode != persistent && mode != recursive {
		return MarshallingError
	}
	r.watches.both(path, r.c.id, mode)
	r.out.int32(int32(OK))
	return OK
}

// findWatches answers whether the client has a watch on a path, and removes it
// when that is asked.
func (r *request) findWatches() Code {
	const ofChildren, ofData, ofAny = 1, 2, 3
	path, sort := r.in.string(), r.in.int32()
	if r.in.err != nil || sort < ofChildren || sort > ofAny {
		return MarshallingError
	}
	found := false
	for _, table := range r.watches.tables(sort != ofChildren, sort != ofData) {
		if r.op == OpRemoveWatches {
			found = table.remove(path, r.c.id) || found
			continue
		}
		found = table.has(path, r.c.id) || found
	}
	if !found {
		return NoWatcher
	}
	return OK
}

// close ends the session in good order: its ephemerals are gone before the
// client has the reply, and the connection is closed after it.
func (r *request) close() Code {
	r.closeSession(r.c.session)
	return OK
}
