package zkdev

import (
	"maps"
	"slices"
	"time"
)

// A Session describes a session at one moment.
type Session struct {
	ID         int64
	Timeout    time.Duration
	Connected  bool
	Watches    int      // a persistent watch counts twice
	Ephemerals []string // paths, in order
}

// Sessions returns the sessions that are alive, the oldest first.
func (s *Server) Sessions() []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Session
	for _, id := range slices.Sorted(maps.Keys(s.sessions)) {
		sess := s.sessions[id]
		info := Session{
			ID: id, Timeout: sess.timeout, Connected: sess.conn != nil,
			Ephemerals: s.tree.ephemerals(id),
		}
		if sess.conn != nil {
			info.Watches = s.watches.count(sess.conn.id)
		}
		list = append(list, info)
	}
	return list
}

// Zxid returns the number of the last change. Opening a session is a change, and so is a write that
// failed.
func (s *Server) Zxid() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tree.zxid
}

// Children returns the names below path in order. The error is NoNode.
func (s *Server) Children(path string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tree.get(path) == nil {
		return nil, NoNode
	}
	return s.tree.children(path), nil
}

// Get returns the data and the Stat of a znode. The error is NoNode.
func (s *Server) Get(path string) ([]byte, Stat, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.tree.get(path)
	if n == nil {
		return nil, Stat{}, NoNode
	}
	return slices.Clone(n.data), n.stat(), nil
}

// Create adds a znode as another program would: watches fire. Owner is zero, or the session that
// the znode dies with; a session that never was makes an ephemeral that stays. Its ACL lets anyone
// do everything. The error is a Code.
func (s *Server) Create(path string, data []byte, owner int64) error {
	return s.mutate(func(x *txn) Code {
		n := &znode{data: slices.Clone(data), acl: openACL(), owner: owner}
		_, code := x.create(path, n, false)
		return code
	})
}

// Delete removes a znode without children, whatever its version and its owner, as another program
// would. The error is a Code.
func (s *Server) Delete(path string) error {
	return s.mutate(func(x *txn) Code { return x.delete(path, -1) })
}

// SetData replaces a znode's data, whatever its version, as another program would. The error is a
// Code.
func (s *Server) SetData(path string, data []byte) error {
	return s.mutate(func(x *txn) Code {
		_, code := x.setData(path, slices.Clone(data), -1)
		return code
	})
}

// mutate makes a change of the server's own: no ACL applies to it. It takes a zxid like any other,
// even when it fails.
func (s *Server) mutate(f func(*txn) Code) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commit(&txn{trusted: true}, f).orNil()
}

// Requests returns how many requests came for the given operations, all connections together,
// failed ones included. A multi counts as OpMulti, whatever is in it.
func (s *Server) Requests(ops ...Op) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, op := range ops {
		n += s.counters.requests[op]
	}
	return n
}

// Dials returns how many connections were ever accepted, refused ones included.
func (s *Server) Dials() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counters.dials
}

// Connections returns how many are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}
