package zkdev

import (
	"slices"
	"strings"
	"time"
)

// A request is one operation of a client while it is being carried out, under the server's lock
// from beginning to end. Handlers read their arguments from in and leave their result in out. A
// result that was begun before an error was met is thrown away by seal.
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
	case OpMultiRead:
		return (*request).multiRead
	case OpGetEphemerals:
		return (*request).getEphemerals
	case OpGetAllChildrenNumber:
		return (*request).getAllChildrenNumber
	case OpWhoAmI:
		return (*request).whoAmI
	}
	return changeHandlerOf(op)
}

// changeHandlerOf returns the handler of an operation that takes a zxid, or nil.
func changeHandlerOf(op Op) handler {
	switch op {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL,
		OpDelete, OpSetData, OpSetACL, OpCheck:
		return (*request).write
	case OpMulti:
		return (*request).multi
	case OpReconfig:
		return (*request).reconfig
	case OpDeleteContainer:
		return (*request).deleteContainer
	case OpCloseSession:
		return (*request).close
	}
	return nil
}

// changes says whether an operation takes a zxid.
func (op Op) changes() bool { return changeHandlerOf(op) != nil }

// request carries out one operation and queues its reply, with the last zxid that the client can
// have seen the effects of. It returns false when the connection is to be closed: after the end of
// its session, after a proof of identity that failed or is lacking, after an operation that is not
// served, and, without a reply, when the session has moved to another server. Other errors cost
// nothing but the request.
func (s *Server) request(c *conn, d *decoder) bool {
	xid, op := d.int32(), Op(d.int32())
	if d.err != nil {
		return false
	}
	s.counters.requests[op]++
	c.stats.lastOp, c.stats.lastXid = op, xid
	switch {
	case slices.Contains(s.faults.closeOn, op):
		return false
	case op != OpPing && s.faults.ignores(c):
		s.touch(c.session)
		return true
	}
	c.mute = s.faults.dropsReply(op)
	known := !s.faults.lacks(op)
	switch {
	case known && op == OpAuth:
		return s.auth(c, xid, d)
	case known && op == OpSASL:
		return s.sasl(c, xid, d)
	}
	s.touch(c.session)
	handle := handlerOf(op)
	if handle == nil || !known {
		s.send(c, newReply().seal(xid, -1, Unimplemented))
		return false
	}
	return s.reply(&request{s, c, op, d, newReply()}, xid, handle)
}

// reply carries out a request that is served, and queues its reply.
func (s *Server) reply(r *request, xid int32, handle handler) bool {
	code := r.perform(handle)
	if code == SessionMoved {
		return false
	}
	if r.op == OpPing {
		xid = xidPing
	}
	r.c.stats.lastZxid, r.c.stats.lastReply = s.view(r.c).zxid, time.Now()
	frame := r.out.seal(xid, r.c.stats.lastZxid, code)
	s.send(r.c, s.faults.misstate(r.op, frame))
	return !r.c.mute && r.op != OpCloseSession && code != SASLRequired
}

// perform carries out the operation, or fails it if a fault says so. An operation that changes
// something, or asks to be up to date, ends the lag of its client first.
func (r *request) perform(handle handler) Code {
	if r.op.changes() || r.op == OpSync {
		r.catchUp(r.c)
	}
	code := r.faults.failure(r.op)
	switch {
	case code == OK:
		return handle(r)
	case r.op.changes():
		return r.refuseChange(code)
	}
	return code
}

// auth is not a request of the session: it does not touch it, and its reply carries no zxid.
func (s *Server) auth(c *conn, xid int32, d *decoder) bool {
	d.int32() // the type, unused
	scheme, _ := d.nullable()
	secret := d.buffer()
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

// exists is the only read that leaves a watch when there is no such znode, and that needs no
// permission.
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

// getData and getChildren leave a watch only when they succeed: a znode that is not there can be
// watched by exists alone.
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

// getChildren serves both of its operations: the newer one adds the Stat, which clients want for
// its Pzxid and Cversion.
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

// getACL needs one of two permissions, READ or ADMIN, and shows hashes only to a client that has
// ADMIN.
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

// sync has nothing to wait for: there is one server, and perform has ended the client's lag. It
// answers with the path, a null one included.
func (r *request) sync() Code {
	path, null := r.in.nullable()
	switch {
	case r.in.err != nil:
		return MarshallingError
	case null:
		r.out.null()
	default:
		r.out.string(path)
	}
	return OK
}

// close ends the session in good order: its ephemerals are gone before the client has the reply,
// and the connection is closed after it.
func (r *request) close() Code {
	r.closeSession(r.c.session)
	return OK
}
