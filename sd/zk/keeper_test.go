package zk

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/zk/zkdev"
	gozk "github.com/go-zookeeper/zk"
)

// probing reports whether k has a second client. The caller has waited for all
// goroutines; the lock is there for what the keeper does next, which begins with
// it.
func (k *keeper) probing() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.probe != nil
}

// A probe starts when there was no session for a third of its timeout and a
// server refused the client meanwhile, or after three timeouts whatever the
// reason; it ends when the session is back.
func TestProbe(t *testing.T) {
	const timeout = 6 * time.Second
	target := "zk://zookeeper.example.com?session-timeout=6s"
	inLab(t, target, func(l *lab) { // refused from the beginning
		b, before := l.connected()
		l.Refuse(true)
		l.Disconnect()
		start := time.Now()
		took := l.eventually(timeout, func() error { return want(b.keeper.probing(), "a probe") })
		if took < timeout/3 || took > timeout/3+time.Second {
			t.Errorf("probe after %v, want %v", took, timeout/3)
		}
		l.Refuse(false)
		after := l.session(b, 3*time.Second)
		if after.session != before.session || b.Stats().Recreated != 0 {
			t.Errorf("want the session 0x%x again, have 0x%x, %+v", before.session, after.session, b.Stats())
		}
		l.pass(2 * time.Second)
		if b.keeper.probing() {
			t.Errorf("probe %v after the outage began: want it dropped", time.Since(start))
		}
		l.eventually(2*timeout, func() error { // closed, or expired if it was granted as the probe was dropped
			return want(len(l.Sessions()) == 1, "an end of the probe's session")
		})
	})
	inLab(t, target, func(l *lab) { // never refused: no answer at all
		b, _ := l.connected()
		l.faulty(lost, "zookeeper")
		l.Disconnect()
		took := l.eventually(10*timeout, func() error { return want(b.keeper.probing(), "a probe") })
		if took < 3*timeout || took > 4*timeout {
			t.Errorf("probe after %v, want 18s to 24s", took)
		}
	})
	inLab(t, target, func(l *lab) { // refused, but not for long
		b, _ := l.connected()
		l.Refuse(true)
		l.Disconnect()
		for range int(timeout/3/(100*time.Millisecond)) - 1 {
			l.pass(100 * time.Millisecond)
			if b.keeper.probing() {
				t.Fatal("probe before a third of the session timeout")
			}
		}
	})
}

func want(have bool, what string) error {
	if !have {
		return fmt.Errorf("want %s, have none", what)
	}
	return nil
}

// A probe with a session is adopted only once its server has refused the other
// client after that, or when the other had a whole session timeout to come back.
func TestAdoption(t *testing.T) {
	const server = "zookeeper.example.com:2181"
	for name, c := range map[string]struct {
		refused time.Duration // relative to the session of the probe; 0 is never
		by      string
		waited  time.Duration // since then
		want    bool
	}{
		"never refused":        {0, server, time.Second, false},
		"refused before":       {-time.Second, server, time.Second, false},
		"refused after":        {time.Second, server, 2 * time.Second, true},
		"refused by another":   {time.Second, "other.example.com:2181", 2 * time.Second, false},
		"nothing for too long": {0, server, 11 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := offline(t)
				k.close()                    // its goroutine is the test from here on
				k.current, _ = k.newClient() // it gets nowhere
				k.probe, _ = k.newClient()
				old, probe := k.current, k.probe
				probed := &link{Conn: probe.conn, session: 7, server: server, since: time.Now(), replies: &replyCheck{}, down: make(chan struct{})}
				probe.mu.Lock()
				probe.link = probed
				probe.mu.Unlock()
				if c.refused != 0 {
					old.mu.Lock()
					old.refused = probed.since.Add(c.refused)
					old.refusals[c.by] = old.refused
					old.mu.Unlock()
				}
				time.Sleep(c.waited)
				k.step()
				if have := k.current == probe; have != c.want {
					t.Errorf("adopted: want %t, have %t", c.want, have)
				}
				if l, _ := k.state(); c.want && (l != probed || k.era() != 1 || !k.owned(7)) {
					t.Errorf("want the probe's link and era 1, have %v and %d", l, k.era())
				}
				if c.want {
					<-old.ctx.Done()
				}
				k.dropProbe()
				k.current.close()
			})
		})
	}
}

// A session that is lost and regained between two looks of the keeper is two
// links to everybody else.
func TestLinkReplacedWithinOneStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := offline(t)
		defer k.close()
		first, second := &link{session: 1, down: make(chan struct{})}, &link{session: 1, down: make(chan struct{})}
		k.publish(first)
		_, changed := k.state()
		k.publish(second)
		select {
		case <-changed:
		default:
			t.Error("changed: want it closed")
		}
		if l, _ := k.state(); l != second {
			t.Errorf("link: want the second, have %v", l)
		}
	})
}

// Wait does not return a link that is known to be down, and gives up in time.
func TestWaitForLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := offline(t)
		defer k.close()
		dead := &link{session: 1, down: make(chan struct{})}
		close(dead.down)
		k.publish(dead)
		start := time.Now()
		if l, err := k.wait(t.Context()); l != nil || err == nil || time.Since(start) != patience {
			t.Errorf("want an error after %v, have %v, %v after %v", patience, l, err, time.Since(start))
		}
		live := &link{session: 1, down: make(chan struct{})}
		time.AfterFunc(patience/2, func() { k.publish(live) })
		if l, err := k.wait(t.Context()); l != live || err != nil {
			t.Errorf("want the new link, have %v, %v", l, err)
		}
	})
}

// The sessions that were ours are remembered, up to a bound.
func TestHeldSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := offline(t)
		defer k.close()
		for n := range 3 * mostHeld {
			for range 2 {
				k.publish(&link{session: int64(n + 1)})
				k.publish(nil)
			}
		}
		if n := len(k.held); n != mostHeld {
			t.Errorf("held: want %d, have %d", mostHeld, n)
		}
		if !k.owned(3*mostHeld) || !k.owned(2*mostHeld+1) || k.owned(2*mostHeld) || k.owned(0) {
			t.Errorf("held: want the newest, have %d", k.held)
		}
	})
}

// A server that is too old for persistent watches is remembered by its name.
func TestNoteAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := offline(t)
		defer k.close()
		young := &link{server: "young:2181", replies: &replyCheck{}}
		old := &link{server: "old:2181", replies: &replyCheck{old: true}}
		if k.noteAge(young) || !k.noteAge(old) {
			t.Error("noteAge: want false and true")
		}
		if !k.persistent("young:2181") || k.persistent("old:2181") {
			t.Errorf("persistent: want it for the young one only, have %t and %t", k.persistent("young:2181"), k.persistent("old:2181"))
		}
		for mode, want := range map[watchMode]bool{watchPersistent: true, watchChildren: false} {
			k.config.watch = mode
			if k.persistent("young:2181") != want || k.persistent("old:2181") != want {
				t.Errorf("%s: want it to force the answer %t", mode, want)
			}
		}
	})
}

// An opcode that is not known ends the connection and is learned from.
func TestOldServerIsLearned(t *testing.T) {
	inLab(t, home, func(l *lab) {
		l.LimitOps(zkdev.OpSetWatches)
		b, on := l.connected()
		if err := addWatch(on.Conn, watchNodes, defaultPath); err == nil || errors.Is(err, gozk.ErrNoNode) {
			t.Errorf("addWatch: want an error, have %v", err)
		}
		if !b.keeper.noteAge(on) {
			t.Error("age: want it noted")
		}
	})
}
