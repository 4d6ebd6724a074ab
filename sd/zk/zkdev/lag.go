package zkdev

// A lag is the state of a follower that has fallen behind: an older tree, and the changes that its
// clients have not been told of. In an ensemble every client is served by one server, whose tree
// may be behind the leader's; ZooKeeper promises only that no client ever goes back in time. The
// connections that lag keep their watches in the server's own tables. While they lag, a change
// leaves their watches alone (upToDate) and is kept here; when they catch up, the changes that they
// missed fire their watches, in order.
type lag struct {
	tree    *tree
	changes []change
	selection
}

// Lag makes the server answer as a follower that has stopped following: reads come from the tree as
// it is now, and no watch event is sent. It holds for the given sessions, without arguments for all
// and for those to come. A client that writes or syncs is caught up first and stays so while its
// connection lasts (a follower delays such replies until it has caught up). A client that has seen
// newer changes cannot connect.
func (s *Server) Lag(sessions ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLag()
	s.faults.lag = &lag{tree: s.tree.clone(), selection: selection{sessions}}
}

// CatchUp ends the lag: watch events that were held back are sent, in order.
func (s *Server) CatchUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLag()
}

func (s *Server) endLag() {
	for _, c := range s.connected(nil) {
		s.catchUp(c)
		c.caughtUp = false
	}
	s.faults.lag = nil
}

// catchUp ends the lag of one connection.
func (s *Server) catchUp(c *conn) {
	if !s.lagging(c) {
		return
	}
	c.caughtUp = true
	for _, missed := range s.faults.lag.changes {
		s.deliver(s.watches.fire(missed, func(w watcher) bool { return w == c.id }))
	}
}

// lagging says whether a client is still served from the past.
func (s *Server) lagging(c *conn) bool {
	return s.faults.lag != nil && !c.caughtUp && s.faults.lag.has(c.sessionID())
}

// upToDate chooses the watchers that may hear of a change when it happens.
func (s *Server) upToDate(w watcher) bool { return !s.lagging(s.conns[w]) }

// view returns the tree that a client sees.
func (s *Server) view(c *conn) *tree {
	if s.lagging(c) {
		return s.faults.lag.tree
	}
	return s.tree
}

// maxZxid returns the last change that a new connection of a session could see.
func (s *Server) maxZxid(session int64) int64 {
	if l := s.faults.lag; l != nil && l.has(session) {
		return l.tree.zxid
	}
	return s.tree.zxid
}

// keepForLagging keeps changes for the clients that lag.
func (f *faults) keepForLagging(changes []change) {
	if f.lag != nil {
		f.lag.changes = append(f.lag.changes, changes...)
	}
}
