package zkdev

// What a test can do to sessions and to the server as a whole, at once.

// HoldEphemerals keeps the ephemerals of sessions that expire from now on, as if their end had not
// come through yet. Sessions that their clients close lose theirs at once.
func (s *Server) HoldEphemerals() { s.set(func(f *faults) { f.holdEphemerals = true }) }

// ReleaseEphemerals removes what HoldEphemerals kept, and holds no more.
func (s *Server) ReleaseEphemerals() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.faults.heldSessions {
		s.removeEphemerals(id)
	}
	s.faults.heldSessions, s.faults.holdEphemerals = nil, false
}

// Expire ends sessions as if their timeout had passed: ephemerals go, connections are cut, and a
// client that comes back is told that its session is gone. Without arguments it ends all.
func (s *Server) Expire(sessions ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sess := range s.chosen(sessions) {
		s.expire(sess)
	}
}

// Replace expires sessions, but gives each client that comes back with one a new session without
// telling it, as ClickHouse Keeper does. The client can only see it by the number.
func (s *Server) Replace(sessions ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sess := range s.chosen(sessions) {
		s.expire(sess)
		s.faults.replaced[sess.id] = true
	}
}

// Disconnect cuts the connections of sessions, which live on. Without arguments it cuts every
// connection.
func (s *Server) Disconnect(sessions ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.connected(sessions) {
		s.drop(c)
	}
}

// ForgetWatches drops the watches of sessions, without arguments those of all, and tells nobody.
func (s *Server) ForgetWatches(sessions ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.connected(sessions) {
		s.watches.forget(c.id)
	}
}

// Wipe makes the server a new one at the same address: an empty tree, zxid zero, no session, no
// connection. Faults stay as they are set, but for the lag and the ephemerals that were held. A
// client that has seen a change is sent away from then on, since its zxid is ahead of the server's.
func (s *Server) Wipe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.connected(nil) {
		s.drop(c)
	}
	for _, sess := range s.sessions {
		s.cancel(sess.timer)
	}
	clear(s.sessions)
	s.tree, s.watches = newTree(0), newWatches()
	s.faults.lag, s.faults.heldSessions = nil, nil
}

// Freeze stops the server as SIGSTOP would: connections are accepted and bytes taken in, and
// nothing more happens. No session expires meanwhile. Changes from the outside, like Create, are
// made at once and told after Thaw.
func (s *Server) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.frozen == nil {
		s.frozen = make(chan struct{})
	}
}

// Thaw lets a frozen server go on. Clocks have run: sessions whose time passed are expired before
// anything that their clients sent meanwhile is read. A real server races here; this is its worse
// outcome.
func (s *Server) Thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.frozen == nil {
		return
	}
	close(s.frozen)
	s.frozen = nil
	if s.stopped {
		return // Restart gives every session its whole timeout
	}
	for _, sess := range s.chosen(nil) {
		s.cancel(sess.timer)
		s.expireOrArm(sess)
	}
}
