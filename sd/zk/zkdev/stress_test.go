package zkdev

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	gozk "github.com/go-zookeeper/zk"
)

// TestRandomFaults has clients work while faults happen at random. When the faults are over every
// client must be served again, no ephemeral may belong to a session that is gone, and the tree must
// hold together.
func TestRandomFaults(t *testing.T) {
	for seed := range uint64(15) {
		bubble(t, func(t *testing.T, s *Server, l *transcript) {
			s.Create("/p", nil, 0)
			var clients []*gozk.Conn
			stop := make(chan struct{})
			for i := range 4 {
				clients = append(clients, goClient(t, s, 4*time.Second))
				go work(clients[i], fmt.Sprintf("/p/%d", i), stop)
			}
			r := rand.New(rand.NewPCG(seed, 1))
			for range 30 {
				disturb(s, r)
				time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
			}
			heal(s)
			time.Sleep(30 * time.Second)
			close(stop)
			synctest.Wait()
			for i, c := range clients {
				if _, _, err := c.Exists("/p"); err != nil {
					t.Errorf("seed %d: client %d: %v", seed, i, err)
				}
			}
			checkOwners(t, seed, s)
		})
	}
}

// work creates, looks and deletes until it is told to stop; errors are what the test is made of. It
// leaves no watch: go-zookeeper races with itself when it sets watches again while requests are
// queued.
func work(c *gozk.Conn, path string, stop <-chan struct{}) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		switch i % 3 {
		case 0:
			c.Create(path, nil, gozk.FlagEphemeral, gozk.WorldACL(gozk.PermAll))
		case 1:
			c.Children("/p")
		case 2:
			c.Delete(path, -1)
		}
	}
}

func disturb(s *Server, r *rand.Rand) {
	sessions := s.Sessions()
	if len(sessions) == 0 {
		return
	}
	victim := sessions[r.IntN(len(sessions))].ID
	faults := []func(){
		func() { s.Expire(victim) },
		func() { s.Replace(victim) },
		func() { s.Disconnect(victim) },
		func() { s.Disconnect() },
		func() { s.DropReply(OpCreate) },
		func() { s.DropReply(OpConnect) },
		func() { s.FailNext(OpDelete, NoAuth) },
		func() { s.CutAfterReading(r.IntN(300)) },
		func() { s.CutAfterWriting(r.IntN(300)) },
		func() { s.HoldEphemerals() },
		func() { s.ReleaseEphemerals() },
		func() { s.Lag() },
		func() { s.Lag(victim) },
		func() { s.CatchUp() },
		func() { s.Freeze() },
		func() { s.Thaw() },
		func() { s.Slow(time.Duration(r.IntN(500)) * time.Millisecond) },
		func() { s.ForgetWatches() },
		func() { s.Hang(r.IntN(2) == 0) },
		func() { s.Refuse(r.IntN(2) == 0) },
		func() { s.LimitOps(Op(r.IntN(2) * 102)) },
	}
	faults[r.IntN(len(faults))]()
}

// heal ends every fault that lasts.
func heal(s *Server) {
	s.Thaw()
	s.CatchUp()
	s.ReleaseEphemerals()
	s.Slow(0)
	s.Hang(false)
	s.Refuse(false)
	s.LimitOps(0)
	s.Disconnect() // whoever was hung
}

func checkOwners(t *testing.T, seed uint64, s *Server) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	checkTree(t, seed, s.tree)
	for id, paths := range s.tree.owned {
		if s.sessions[id] == nil {
			t.Errorf("seed %d: %v belong to session %d, which is gone", seed, paths, id)
		}
	}
	if have, want := len(s.conns), len(s.sessions); have > want {
		t.Errorf("seed %d: have %d connections and %d sessions", seed, have, want)
	}
}
