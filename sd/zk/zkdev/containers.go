package zkdev

// Znodes that go by themselves: containers, which are removed some time after their last child, and
// znodes with a lifetime (TTL), which are removed some time after the last change of their data.
// ZooKeeper looks for them at intervals (ContainerManager), so they stay up to an interval longer:
// https://zookeeper.apache.org/doc/r3.8.4/zookeeperProgrammers.html#Container+Nodes.

import (
	"slices"
	"time"
)

// reapable says whether n can be removed now, in milliseconds since 1970: it is a container that
// had children and lost them, or its lifetime has passed since its data was last set and it has no
// children. A container that never had a child is left alone, or it would be gone before the client
// that made it could use it.
func (n *znode) reapable(now int64) bool {
	if len(n.children) > 0 {
		return false
	}
	return n.container && n.creates > 0 || n.ttl != 0 && now-n.mtime > n.ttl
}

// scheduleReaping arms the reaper when one of the changes left a container empty, or when there is
// a znode with a lifetime. Without either there is no timer. ZooKeeper looks at fixed intervals,
// and so does this server, beginning when it was made.
func (s *Server) scheduleReaping(changes []change) {
	needed := s.tree.ttls > 0 || slices.ContainsFunc(changes, func(c change) bool {
		above := s.tree.get(parent(c.path))
		return c.kind == nodeDeleted && above != nil && above.reapable(0)
	})
	if needed {
		s.armReaper()
	}
}

// armReaper lets reap run at the end of the interval.
func (s *Server) armReaper() {
	if s.reaper != nil || s.closed || s.stopped {
		return
	}
	next := time.Since(s.began)/s.reapInterval + 1
	s.reaper = s.after(time.Until(s.began.Add(next*s.reapInterval)), s.reap)
}

// reap removes every znode that can go, each with a zxid of its own. A container whose last child
// was itself a container goes an interval later.
func (s *Server) reap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reaper = nil
	switch {
	case s.closed || s.stopped:
		return
	case s.frozen != nil:
		s.armReaper()
		return
	}
	var paths []string
	for path, n := range s.tree.nodes {
		if n.reapable(time.Now().UnixMilli()) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		s.commit(&txn{trusted: true}, func(x *txn) Code { return x.delete(path, -1) })
	}
	s.scheduleReaping(nil)
}
