package zkdev

import "fmt"

// The operations, by name.

func (w *wire) create(path, data string, flags int32) Code {
	return w.createOp(OpCreate, path, data, flags, openACL())
}

func (w *wire) createOp(op Op, path, data string, flags int32, list []acl) Code {
	return w.do(fmt.Sprintf("create(%d) %q flags %d", op, path, flags), op,
		func(e *encoder) { e.create(path, data, flags, list) })
}

func (e *encoder) create(path, data string, flags int32, list []acl) {
	e.string(path)
	e.buffer([]byte(data))
	e.acls(list)
	e.int32(flags)
}

func (e *encoder) versioned(path string, version int32) {
	e.string(path)
	e.int32(version)
}

func (e *encoder) setData(path, data string, version int32) {
	e.string(path)
	e.buffer([]byte(data))
	e.int32(version)
}

func (w *wire) delete(path string, version int32) Code {
	return w.do(fmt.Sprintf("delete %q version %d", path, version), OpDelete,
		func(e *encoder) { e.versioned(path, version) })
}

func (w *wire) check(path string, version int32) Code {
	return w.do(fmt.Sprintf("check %q version %d", path, version), OpCheck,
		func(e *encoder) { e.versioned(path, version) })
}

func (w *wire) setData(path, data string, version int32) Code {
	return w.do(fmt.Sprintf("setData %q version %d", path, version), OpSetData,
		func(e *encoder) { e.setData(path, data, version) })
}

// readOp is any operation that takes a path and a watch flag.
func (w *wire) readOp(op Op, path string, watch bool) Code {
	return w.do(fmt.Sprintf("op %d %q watch %v", op, path, watch), op, func(e *encoder) {
		e.string(path)
		e.bool(watch)
	})
}

func (w *wire) ping() Code { return w.do("ping", OpPing, nil) }

func (w *wire) addWatch(path string, mode int32) Code {
	return w.do(fmt.Sprintf("addWatch %q mode %d", path, mode), OpAddWatch,
		func(e *encoder) { e.versioned(path, mode) })
}

func (w *wire) auth(scheme, secret string) Code {
	return w.do("auth "+scheme, OpAuth, func(e *encoder) {
		e.int32(0)
		e.string(scheme)
		e.buffer([]byte(secret))
	})
}

func (w *wire) setACL(path string, version int32, list ...acl) Code {
	return w.do(fmt.Sprintf("setACL %q version %d %v", path, version, list), OpSetACL,
		func(e *encoder) {
			e.string(path)
			e.acls(list)
			e.int32(version)
		})
}

func (w *wire) getACL(path string) Code {
	return w.do(fmt.Sprintf("getACL %q", path), OpGetACL, func(e *encoder) { e.string(path) })
}

// A part is one operation of a multi.
type part struct {
	op   Op
	fill func(*encoder)
}

func (w *wire) multiOf(what string, parts ...part) Code {
	return w.do("multi "+what, OpMulti, func(e *encoder) {
		for _, p := range parts {
			e.multiHeader(p.op, false, -1)
			p.fill(e)
		}
		e.multiHeader(opError, true, -1)
	})
}

func creates(path string, flags int32) part {
	return part{OpCreate, func(e *encoder) { e.create(path, "", flags, openACL()) }}
}
func deletes(path string, version int32) part {
	return part{OpDelete, func(e *encoder) { e.versioned(path, version) }}
}
func checks(path string, version int32) part {
	return part{OpCheck, func(e *encoder) { e.versioned(path, version) }}
}
func sets(path string, version int32) part {
	return part{OpSetData, func(e *encoder) { e.setData(path, "new", version) }}
}

func (w *wire) setWatches(op Op, lastZxid int64, lists ...[]string) Code {
	return w.do(fmt.Sprintf("setWatches(%d) from %d %q", op, lastZxid, lists), op,
		func(e *encoder) {
			e.int64(lastZxid)
			for _, list := range lists {
				e.strings(list)
			}
		})
}

func (w *wire) quit() Code { return w.do("close", OpCloseSession, nil) }
