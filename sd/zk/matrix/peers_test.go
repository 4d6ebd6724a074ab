package matrix

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/sd/zk/zktest"
)

// A scenario is what happens to both libraries at once, and what is true in the end.
type scenario struct {
	id, what string
	bound    time.Duration // from the end of do
	run      func(c *contest) (want []string)
	mayEmpty bool // the truth is, or becomes, empty
}

// A contest is one scenario under way: ours and go-kit's, side by side on one ZooKeeper.
type contest struct {
	*testing.T
	server   *zktest.Server
	subjects []*subject
	first    []*child // the registering processes, by subject
	from     time.Time
}

// each does something to every subject.
func (c *contest) each(do func(s *subject, first *child)) {
	for i, s := range c.subjects {
		do(s, c.first[i])
	}
}

// TestPeers is D1 to D10 of the measured peers. What go-kit does is an observation; ours has to be
// right.
func TestPeers(t *testing.T) {
	if !*runPeers {
		t.Skip("needs -matrix.peers")
	}
	server := zktest.Start(t)
	var table []string
	for _, s := range scenarios() {
		t.Run(s.id, func(t *testing.T) { table = append(table, s.contest(t, server)...) })
	}
	for _, line := range table {
		t.Log(line)
	}
	t.Logf("load average %s", loadAverage())
}

func (s scenario) contest(t *testing.T, server *zktest.Server) (lines []string) {
	c := &contest{T: t, server: server}
	for _, library := range []string{ours, gokits} {
		subject, first := newSubject(t, server, s.id, library)
		c.subjects, c.first = append(c.subjects, subject), append(c.first, first)
	}
	hold(200 * time.Millisecond) // everything has settled
	c.from = time.Now()
	want := s.run(c)
	for _, subject := range c.subjects {
		o := subject.outcome(c.from, s.bound, want...)
		o.dead = !subject.alive()
		lines = append(lines, fmt.Sprintf("%-4s %-7s %s: %v", s.id, subject.library, s.what, o))
		if subject.library == ours {
			s.judge(t, o)
		}
	}
	return lines
}

// judge holds ours to what every peer fails somewhere.
func (s scenario) judge(t *testing.T, o outcome) {
	t.Helper()
	if o.registry < 0 || o.watcher < 0 || o.dead {
		t.Errorf("%s: want registry and watcher right within %v, have %v", s.id, s.bound, o)
	}
	if !s.mayEmpty && o.shortest == 0 {
		t.Errorf("%s: want no empty list, have %v", s.id, o)
	}
	if o.most > 2 || o.errors > 0 {
		t.Errorf("%s: want no double entry and no error event, have %v", s.id, o)
	}
}

func scenarios() []scenario {
	one, two := []string{firstInstance}, []string{secondInstance}
	return []scenario{
		{"D1", "deregister", 3 * time.Second, func(c *contest) []string {
			c.each(func(_ *subject, first *child) { first.tell(c, "deregister") })
			return nil
		}, true},
		{"D2a", "ZooKeeper frozen for 6 s", 8 * time.Second, (*contest).freeze, true},
		{"D2b", "ZooKeeper frozen for 6 s", 8 * time.Second, (*contest).freeze, true},
		{"D2c", "ZooKeeper frozen for 6 s", 8 * time.Second, (*contest).freeze, true},
		{"D3", "ZooKeeper killed, back in 5 s", 8 * time.Second,
			func(c *contest) []string { return c.outage(5 * time.Second) }, false},
		{"D4", "ZooKeeper killed, back in 15 s", 8 * time.Second,
			func(c *contest) []string { return c.outage(15 * time.Second) }, false},
		{"D5", "registrant kill -9, back in 0.3 s", 8 * time.Second, func(c *contest) []string {
			c.each(func(_ *subject, first *child) { first.kill() })
			hold(300 * time.Millisecond)
			c.each(func(s *subject, _ *child) { s.announce(firstInstance) })
			hold(2 * sessionTimeout) // the old session has ended
			return one
		}, false},
		{"D6", "node deleted by hand", 8 * time.Second, func(c *contest) []string {
			c.each(func(s *subject, _ *child) { s.removeNodes() })
			return one
		}, true},
		{"D7", "registrant dies while ZooKeeper is down, another comes", 8 * time.Second,
			func(c *contest) []string {
				c.server.Kill(c)
				c.each(func(_ *subject, first *child) { first.kill() })
				hold(4 * time.Second)
				c.server.Launch(c)
				c.server.Await(c)
				c.from = time.Now()
				c.each(func(s *subject, _ *child) { s.announce(secondInstance) })
				return two
			}, true},
		{"D8", "registrant stopped for 6 s", 8 * time.Second, func(c *contest) []string {
			c.each(func(_ *subject, first *child) { first.signal(c, syscall.SIGSTOP) })
			hold(6 * time.Second)
			c.from = time.Now()
			c.each(func(_ *subject, first *child) { first.signal(c, syscall.SIGCONT) })
			return one
		}, true},
		{"D9", "watcher stopped for 6 s, meanwhile one dies, another comes", 8 * time.Second,
			func(c *contest) []string {
				c.each(func(s *subject, first *child) {
					s.watcher.signal(c, syscall.SIGSTOP)
					first.kill()
					s.announce(secondInstance)
				})
				hold(6 * time.Second)
				c.from = time.Now()
				c.each(func(s *subject, _ *child) { s.watcher.signal(c, syscall.SIGCONT) })
				return two
			}, false},
		{"D10", "directory removed for 3 s, then used by another", 8 * time.Second,
			func(c *contest) []string {
				c.each(func(s *subject, first *child) {
					first.kill()
					s.removeNodes()
					if err := s.admin.Delete(s.path, -1); err != nil {
						c.Errorf("%s: %v", s.library, err)
					}
				})
				hold(3 * time.Second)
				c.from = time.Now()
				c.each(func(s *subject, _ *child) { s.announce(secondInstance) })
				return two
			}, true},
	}
}

// freeze stops ZooKeeper for three session timeouts. Who is back first afterwards, client or
// expiry, is a race.
func (c *contest) freeze() (want []string) {
	c.server.Freeze(c)
	hold(3 * sessionTimeout)
	c.from = time.Now()
	c.server.Thaw(c)
	hold(2 * sessionTimeout) // whoever is to expire has
	return []string{firstInstance}
}

// outage takes ZooKeeper away for d.
func (c *contest) outage(d time.Duration) (want []string) {
	c.server.Kill(c)
	hold(d)
	c.server.Launch(c)
	c.server.Await(c)
	c.from = time.Now()
	hold(2 * sessionTimeout) // whoever is to expire has
	return []string{firstInstance}
}

// removeNodes deletes everything in the directory.
func (s *subject) removeNodes() {
	s.Helper()
	names, _, err := s.admin.Children(s.path)
	for _, name := range names {
		if err == nil {
			err = s.admin.Delete(s.path+"/"+name, -1)
		}
	}
	if err != nil {
		s.Errorf("%s: %v", s.library, err)
	}
}
