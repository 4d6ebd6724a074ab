package zkdev

import "strings"

// The reads that ask for more than one znode, or for the client itself.

// multiRead carries out several reads and answers each with its result or its error; one that fails
// hinders no other. It leaves no watches: the flag is ignored, as ZooKeeper ignores it. ZooKeeper's
// clients know it since 3.6.
func (r *request) multiRead() Code {
	for {
		op, done := r.in.multiHeader()
		if done && r.in.err == nil {
			r.out.multiHeader(opError, true, -1)
			return OK
		}
		path, _ := r.in.string(), r.in.bool()
		if r.in.err != nil || op != OpGetData && op != OpGetChildren {
			return MarshallingError
		}
		r.readOne(op, path)
	}
}

// readOne writes the result of one read of a multiRead.
func (r *request) readOne(op Op, path string) {
	n, code := r.readable(path, permRead)
	if code != OK {
		r.out.multiHeader(opError, false, code)
		r.out.int32(int32(code))
		return
	}
	r.out.multiHeader(op, false, OK)
	if op == OpGetChildren {
		r.out.strings(r.view(r.c).children(path))
		return
	}
	r.out.buffer(n.data)
	r.out.stat(n.stat())
}

// getEphemerals lists the ephemerals of the client's own session whose paths begin with a prefix; a
// null has all of them, and so have blanks. The prefix is compared as text: "/a" finds "/ab". It
// needs no permission.
func (r *request) getEphemerals() Code {
	prefix, _ := r.in.nullable()
	if r.in.err != nil {
		return MarshallingError
	}
	if blank := strings.TrimSpace(prefix); blank == "" || blank == "/" {
		prefix = ""
	}
	var list []string
	for _, path := range r.view(r.c).ephemerals(r.c.session.id) {
		if strings.HasPrefix(path, prefix) {
			list = append(list, path)
		}
	}
	r.out.strings(list)
	return OK
}

// getAllChildrenNumber counts the znodes below a path, at any depth.
func (r *request) getAllChildrenNumber() Code {
	path := r.in.string()
	if r.in.err != nil {
		return MarshallingError
	}
	if _, code := r.readable(path, permRead); code != OK {
		return code
	}
	r.out.int32(int32(r.view(r.c).countBelow(path)))
	return OK
}

// whoAmI lists what the client has proved to be. A digest is shown by its user alone.
func (r *request) whoAmI() Code {
	r.out.int32(int32(len(r.c.ids)))
	for _, id := range r.c.ids {
		user := id.id
		if id.scheme == "digest" {
			user, _, _ = strings.Cut(user, ":")
		}
		r.out.string(id.scheme)
		r.out.string(user)
	}
	return OK
}

// The requests below are refused, as a ZooKeeper refuses them by default.

// reconfig would change the members of an ensemble.
func (r *request) reconfig() Code {
	for range 3 { // members to join, to leave, and all of them anew
		r.in.nullable()
	}
	r.in.int64() // the configuration that the change is based on
	if r.in.err != nil {
		return MarshallingError
	}
	return r.refuseChange(ReconfigDisabled)
}

// deleteContainer is what a ZooKeeper asks of itself when a container is to go (see reap).
func (r *request) deleteContainer() Code { return r.refuseChange(BadArguments) }

// refuseChange fails a change, which uses up a zxid all the same.
func (r *request) refuseChange(code Code) Code {
	return r.commit(r.clientTxn(), func(*txn) Code { return code })
}

// sasl answers as a server without SASL does: with no token. It is not a request of the session,
// and its reply carries no zxid. Without a token of its own the client is cut off.
func (s *Server) sasl(c *conn, xid int32, d *decoder) bool {
	if token := d.buffer(); token == nil || d.err != nil {
		return false
	}
	if code := s.faults.failure(OpSASL); code != OK {
		s.send(c, newReply().seal(xid, 0, code))
		return !c.mute
	}
	reply := newReply()
	reply.null()
	s.send(c, s.faults.misstate(OpSASL, reply.seal(xid, 0, OK)))
	return !c.mute
}
