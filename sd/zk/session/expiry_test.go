package session

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Expired is called once for a session that ended against our will, and not for one that is held
// through an outage, renewed or closed.
func TestExpired(t *testing.T) {
	inLab(t, one, func(l *lab) {
		var expired atomic.Int32
		l.config.Expired = func() { expired.Add(1) }
		s, before := l.connected()
		counted := func(when string, want int32) {
			t.Helper()
			synctest.Wait()
			if have := expired.Load(); want != have {
				t.Errorf("%s: want %d, have %d", when, want, have)
			}
		}
		l.Disconnect()
		time.Sleep(2 * time.Second)
		if on := l.conn(s, time.Second); on.Session != before.Session {
			t.Fatalf("reconnected: want session %x, have %x", before.Session, on.Session)
		}
		counted("reconnected", 0)

		l.Expire()
		time.Sleep(5 * time.Second)
		on := l.conn(s, time.Second)
		counted("expired", 1)

		s.Renew(on)
		time.Sleep(5 * time.Second)
		if now := l.conn(s, time.Second); now.Session == on.Session {
			t.Fatal("renewed: want another session")
		}
		counted("renewed", 1)
		s.Close()
		counted("closed", 1)
	})
}
