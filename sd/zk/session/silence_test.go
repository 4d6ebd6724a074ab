package session

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/daytime/sd/internal/wait"
)

// A member that answers pings and nothing else is left after a session timeout, for another one,
// with the same session.
func TestPingsOnly(t *testing.T) {
	inLab(t, three, func(l *lab) {
		s, before := l.connected()
		l.PingsOnly(true, before.Session)
		start := time.Now()
		asked := make(chan error)
		go func() {
			_, _, err := before.Exists(directory)
			asked <- err
		}()
		err := <-asked
		if took := time.Since(start); err == nil || took < s.Timeout() || took > 2*s.Timeout() {
			t.Errorf("request: want an error after 4s to 8s, have %v after %v", err, took)
		}
		if err := before.Err(); !errors.Is(err, ErrUnanswered) {
			t.Errorf("Conn: want %v, have %v", ErrUnanswered, err)
		}
		l.PingsOnly(false)
		after := l.conn(s, time.Second)
		if after.Session != before.Session || after.Server == before.Server {
			t.Errorf("want session 0x%x again, on another server than %s, have 0x%x on %s",
				before.Session, before.Server, after.Session, after.Server)
		}
	})
}

// As long as nothing is asked, or what is asked is answered in time, the link stays.
func TestPingsAreEnough(t *testing.T) {
	inLab(t, one, func(l *lab) {
		s, conn := l.connected()
		wait.Pass(10 * s.Timeout())
		l.Slow(s.Timeout() / 2)
		for range 3 {
			if _, _, err := conn.Exists(directory); err != nil {
				t.Errorf("slow: %v", err)
			}
		}
		if err := conn.Err(); err != nil {
			t.Errorf("Conn: want it up, have %v", err)
		}
	})
}

// A list that arrives for longer than a session timeout is read to its end, and the pings behind it
// do not end the link.
func TestLongListOverALink(t *testing.T) {
	inLab(t, one, func(l *lab) {
		for n := range 4000 {
			l.Create(fmt.Sprintf("%s/192.0.2.1:%d", directory, 10_000+n), nil, 0)
		}
		l.net.slow = 2500 * time.Millisecond // for each 16 KiB
		s, conn := l.connected()
		start := time.Now()
		names, _, err := conn.Children(directory)
		if len(names) != 4000 || err != nil || time.Since(start) < 2*s.Timeout() {
			t.Errorf("want 4000 names after 8s at least, have %d, %v after %v", len(names), err, time.Since(start))
		}
		wait.Pass(2 * s.Timeout())
		if err := conn.Err(); err != nil {
			t.Errorf("Conn: want it up, have %v", err)
		}
	})
}
