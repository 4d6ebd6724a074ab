package zkdev

// A write is an operation that a txn carries out, decoded. Fields that an operation has no use for
// are zero.
type write struct {
	op      Op
	path    string
	noPath  bool // it was a null
	data    []byte
	acl     []acl
	flags   int32
	ttl     int64 // milliseconds
	version int32
}

// write reads one operation, in a request of its own or within a multi. Some operations take a null
// for the path, and then refuse it as they refuse the empty path.
func (d *decoder) write(op Op) write {
	w := write{op: op}
	switch op {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL:
		w.path, w.data, w.acl, w.flags = d.string(), d.buffer(), d.acls(), d.int32()
		if op == OpCreateTTL {
			w.ttl = d.int64()
		}
	case OpSetData:
		w.path, w.noPath = d.nullable()
		w.data, w.version = d.buffer(), d.int32()
	case OpSetACL:
		w.path, w.noPath = d.nullable()
		w.acl, w.version = d.acls(), d.int32()
	case OpDelete:
		w.path, w.version = d.string(), d.int32()
	case OpCheck:
		w.path, w.noPath = d.nullable()
		w.version = d.int32()
	default:
		d.err = errMalformed
	}
	return w
}

// A written is the result of a write.
type written struct {
	op   Op // as it stands in the result of a multi
	path string
	stat Stat
	code Code
}

// written writes a result. A delete and a check have none.
func (e *encoder) written(w written) {
	switch w.op {
	case OpCreate:
		e.string(w.path)
	case OpCreate2:
		e.string(w.path)
		e.stat(w.stat)
	case OpSetData, OpSetACL:
		e.stat(w.stat)
	case opError:
		e.int32(int32(w.code))
	}
}

// The flags of a create: the first two are bits, the others are not. A container is made by its own
// operation, and its flag alone makes an ordinary znode. The last two belong to OpCreateTTL and to
// nothing else.
const (
	flagEphemeral     = 1
	flagSequential    = 2
	flagContainer     = 4
	flagTTL           = 5
	flagTTLSequential = 6
)

// maxTTL is the longest lifetime, in milliseconds: ZooKeeper keeps it in 40 bits.
const maxTTL = 1<<40 - 1

// do carries out one write.
func (x *txn) do(w write) written {
	result := written{op: w.op, path: w.path}
	switch w.op {
	case OpCreate:
		result.path, result.code = x.createAs(w)
	case OpCreate2, OpCreateContainer, OpCreateTTL:
		result.op = OpCreate2
		if result.path, result.code = x.createAs(w); result.code == OK {
			result.stat = x.tree.get(result.path).stat()
		}
	case OpDelete:
		result.code = x.delete(w.path, w.version)
	case OpSetData:
		result.stat, result.code = x.setData(w.path, w.data, w.version)
	case OpSetACL:
		result.stat, result.code = x.setACL(w.path, w.acl, w.version)
	case OpCheck:
		result.code = x.check(w.path, w.version)
	case opError:
		result.code = MarshallingError
	}
	return result
}

// createAs reads the flags of a create.
func (x *txn) createAs(w write) (string, Code) {
	withTTL := w.flags == flagTTL || w.flags == flagTTLSequential
	switch {
	case w.flags < 0 || w.flags > flagTTLSequential, withTTL != (w.op == OpCreateTTL):
		return "", BadArguments
	case withTTL && (w.ttl <= 0 || w.ttl > maxTTL):
		return "", BadArguments
	}
	n := &znode{data: w.data, acl: w.acl, ttl: w.ttl}
	switch {
	case withTTL:
	case w.op == OpCreateContainer:
		n.container = true
	case w.flags&flagEphemeral != 0:
		n.owner = x.session
	}
	return x.create(w.path, n, w.flags&flagSequential != 0)
}

// clientTxn is a change that the client asks for.
func (r *request) clientTxn() *txn { return &txn{session: r.c.session.id, ids: r.c.ids} }

// write carries out an operation by itself. A request that cannot be decoded still takes a zxid. (A
// check by itself is served, but no client sends it, and a real server never answers it when it
// succeeds.)
func (r *request) write() Code {
	w := r.in.write(r.op)
	return r.commit(r.clientTxn(), func(x *txn) Code {
		if r.in.err != nil {
			return MarshallingError
		}
		result := x.do(w)
		if result.code == OK {
			r.out.written(result)
		}
		return result.code
	})
}

// multi carries out several writes or none, with one zxid. It succeeds as a request even when it
// did nothing: then each write has an error, zero for those before the one that failed, its own
// for that one, and RuntimeInconsistency for those after it, which were not tried.
func (r *request) multi() Code {
	list := r.in.writes()
	var results []written
	code := r.commit(r.clientTxn(), func(x *txn) Code {
		if r.in.err != nil {
			return MarshallingError
		}
		var code Code
		results, code = x.doAll(list)
		return code
	})
	if code == MarshallingError {
		return code
	}
	for _, result := range results {
		r.out.multiHeader(result.op, false, result.code)
		r.out.written(result)
	}
	r.out.multiHeader(opError, true, -1)
	return OK
}

// doAll stops at the first failure and then makes every result an error.
func (x *txn) doAll(list []write) (results []written, failure Code) {
	for _, w := range list {
		result := x.do(w)
		results = append(results, result)
		if failure = result.code; failure != OK {
			break
		}
	}
	if failure == OK {
		return results, OK
	}
	for i := range results {
		results[i] = written{op: opError, code: results[i].code}
	}
	for len(results) < len(list) {
		results = append(results, written{op: opError, code: RuntimeInconsistency})
	}
	return results, failure
}

// writes reads the operations of a multi.
func (d *decoder) writes() []write {
	var list []write
	for d.err == nil {
		op, done := d.multiHeader()
		if done {
			return list
		}
		w := d.write(op)
		if w.noPath || op == OpSetACL {
			d.err = errMalformed
		}
		list = append(list, w.inMulti())
	}
	return nil
}

// inMulti is w as a part of a multi, where the flags of a create say what it makes, whatever its
// number. Those of a TTL node without a lifetime are more than ZooKeeper can bear.
func (w write) inMulti() write {
	switch w.op {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL:
	default:
		return w
	}
	switch {
	case w.flags == flagContainer:
		w.op = OpCreateContainer
	case w.flags != flagTTL && w.flags != flagTTLSequential:
		w.op, w.ttl = OpCreate, 0
	case w.op != OpCreateTTL:
		w.op = opError
	}
	return w
}

// multiHeader stands before each operation of a multi and of a multiRead, before each result, and
// at the end of both.
func (d *decoder) multiHeader() (op Op, done bool) {
	op, done = Op(d.int32()), d.bool()
	d.int32() // an error code, unused
	return op, done
}

func (e *encoder) multiHeader(op Op, done bool, code Code) {
	e.int32(int32(op))
	e.bool(done)
	e.int32(int32(code))
}
