package session

import (
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"example.com/daytime/sd/internal/wait"
)

// A client that was given up, or a probe that was not needed, is nobody's any more: each holds 1.5
// MB of go-zookeeper's, which a fleet of sessions would keep after every outage.
func TestNothingIsKeptOfOldHandles(t *testing.T) {
	inLab(t, one, func(l *lab) {
		s, _ := l.connected()
		for n := range 3 { // the one that took over is given up as well
			old := weak.Make(s.currentHandle())
			l.wipe(s, n+1)
			l.freed("the client of before the wipe", old)
		}
	})
	inLab(t, one, func(l *lab) {
		s, on := l.connected()
		old := weak.Make(s.currentHandle())
		s.Renew(on)
		on = nil
		wait.Pass(5 * time.Second)
		l.conn(s, time.Second)
		l.freed("the client that was renewed", old)
	})
	inLab(t, one, func(l *lab) {
		s, _ := l.connected()
		l.Refuse(true)
		l.Disconnect()
		l.eventually(10*time.Second, func() error { return want(s.isProbing(), "a probe") })
		s.mu.Lock()
		probe := weak.Make(s.probe)
		s.mu.Unlock()
		l.Refuse(false)
		l.conn(s, 5*time.Second)
		wait.Pass(10 * time.Second)
		l.freed("the probe that was not needed", probe)
	})
}

// wipe has a probe take over for the nth time.
func (l *lab) wipe(s *Session, n int) {
	l.t.Helper()
	for range 50 { // so that the data which is wiped is ahead
		l.SetData("/", nil)
	}
	if _, _, err := l.conn(s, time.Second).Exists("/"); err != nil {
		l.t.Fatal(err)
	}
	l.Wipe()
	l.eventually(10*time.Second, func() error {
		return atLeast("recreated", n, int(s.Stats().Generation))
	})
}

// freed wants a handle to be collected.
func (l *lab) freed(what string, h weak.Pointer[handle]) {
	l.t.Helper()
	wait.Pass(time.Minute)
	l.eventually(time.Minute, func() error {
		runtime.GC()
		if h.Value() != nil {
			return errors.New(what + ": want it freed, have it kept")
		}
		return nil
	})
	synctest.Wait()
}
