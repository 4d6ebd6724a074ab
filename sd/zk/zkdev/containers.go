package zkdev

import (
	"slices"
	"time"
)

// reapInterval is how often a ZooKeeper looks for containers to remove.
const reapInterval = time.Minute

// reapable says whether n is a container that had children and lost them. One
// that never had any is left alone, or it would be gone before its maker could
// use it.
func (n *znode) reapable() bool {
	return n.owner == containerOwner && n.creates > 0 && len(n.children) == 0
}

// scheduleReaping arms the reaper when one of the changes left a container
// empty. Without such a container there is no timer.
func (s *Server) scheduleReaping(changes []change) {
	emptied := slices.ContainsFunc(changes, func(c change) bool {
		above := s.tree.get(parent(c.path))
		return c.kind == nodeDeleted && above != nil && above.reapable()
	})
	if !emptied || s.reaper != nil || s.closed {
		return
	}
	next := time.Since(s.began)/reapInterval + 1
	s.reaper = s.after(time.Until(s.began.Add(next*reapInterval)), s.reap)
}

// reap removes every container that can go, each with a zxid of its own. One
// whose last child was itself a container goes a minute later.
func (s *Server) reap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reaper = nil
	if s.closed {
		return
	}
	var paths []string
	for path, n := range s.tree.nodes {
		if n.reapable() {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		s.commit(&txn{trusted: true}, func(x *txn) Code { return x.delete(path, -1) })
	}
}
