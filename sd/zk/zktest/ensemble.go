package zktest

import (
	"errors"
	"slices"
	"testing"
)

// An Ensemble is several servers that vote. Like a Server it is driven by one goroutine at a time.
type Ensemble struct {
	servers []*Server
}

// StartEnsemble runs n servers as a quorum until the end of the test. It returns once all of them
// serve, and skips the test where ZooKeeper is not installed.
func StartEnsemble(tb testing.TB, n int, options ...Option) *Ensemble {
	tb.Helper()
	if n < 2 {
		tb.Fatalf("zktest: an ensemble of %d is none: use Start", n)
	}
	return &Ensemble{servers: start(tb, n, newConfig(options))}
}

// Servers are the members, in the order of their ids.
func (e *Ensemble) Servers() []*Server { return slices.Clone(e.servers) }

// Addrs are the members' addresses in clear text, in the order of Servers.
func (e *Ensemble) Addrs() []string {
	var addrs []string
	for _, s := range e.servers {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// Leader returns the member that leads. It waits up to 30 s for an election to end.
func (e *Ensemble) Leader(tb testing.TB) *Server {
	tb.Helper()
	var leader *Server
	err := poll(serveBound, pollInterval, func() error {
		leader = e.leader()
		if leader == nil {
			return errors.New("no member leads")
		}
		return nil
	})
	if err != nil {
		tb.Fatalf("zktest: leader of %v: %v", e.Addrs(), err)
	}
	return leader
}

// leader asks everybody; a member that is down, frozen or voting does not answer with a mode.
func (e *Ensemble) leader() *Server {
	for _, s := range e.servers {
		if mode, err := s.mode(); err == nil && mode == "leader" {
			return s
		}
	}
	return nil
}

// Followers are all members but the leader, up or not.
func (e *Ensemble) Followers(tb testing.TB) []*Server {
	tb.Helper()
	leader := e.Leader(tb)
	return slices.DeleteFunc(e.Servers(), func(s *Server) bool { return s == leader })
}

// Kill kills every member.
func (e *Ensemble) Kill(tb testing.TB) { tb.Helper(); e.each(tb, (*Server).Kill) }

// Stop stops every member, one after the other.
func (e *Ensemble) Stop(tb testing.TB) { tb.Helper(); e.each(tb, (*Server).Stop) }

// Freeze freezes every member.
func (e *Ensemble) Freeze(tb testing.TB) { tb.Helper(); e.each(tb, (*Server).Freeze) }

// Thaw thaws every member.
func (e *Ensemble) Thaw(tb testing.TB) { tb.Helper(); e.each(tb, (*Server).Thaw) }

// Wipe kills every member and removes all data; the ensemble stays down.
func (e *Ensemble) Wipe(tb testing.TB) { tb.Helper(); e.each(tb, (*Server).Wipe) }

// Await returns once every member serves.
func (e *Ensemble) Await(tb testing.TB) { tb.Helper(); e.each(tb, (*Server).Await) }

// Restart kills every member, starts all on the same data and ports, and returns once all of them
// serve.
func (e *Ensemble) Restart(tb testing.TB) {
	tb.Helper()
	e.Kill(tb)
	e.each(tb, (*Server).Launch)
	e.Await(tb)
}

func (e *Ensemble) each(tb testing.TB, do func(*Server, testing.TB)) {
	tb.Helper()
	for _, s := range e.servers {
		do(s, tb)
	}
}
