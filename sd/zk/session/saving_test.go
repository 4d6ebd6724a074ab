package session

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"example.com/daytime/sd/internal/wait"
)

// A proxy before ZooKeeper cuts the connection, and for a third of the session timeout accepts
// connections on which it never answers. That costs no session, wherever between two pings it
// happens: no handshake takes longer than the one before, and nothing is paused.
func TestMuteProxy(t *testing.T) {
	for _, hosts := range [][]string{one, three} {
		for _, timeout := range []time.Duration{4 * time.Second, 6 * time.Second, 10 * time.Second, 30 * time.Second} {
			t.Run(fmt.Sprintf("%d hosts, %v", len(hosts), timeout), func(t *testing.T) {
				for phase := range 9 {
					inLab(t, hosts, func(l *lab) {
						l.config.Timeout = timeout
						s, before := l.connected()
						wait.Pass(timeout + timeout/3*time.Duration(phase)/9)
						l.mute(timeout / 3)
						l.Disconnect()
						wait.Pass(time.Millisecond)
						after := l.conn(s, 2*timeout)
						if after.Session != before.Session {
							t.Errorf("phase %d: want session 0x%x again, have 0x%x", phase, before.Session, after.Session)
						}
					})
				}
			})
		}
	}
}

// mute makes connections that are dialled in the next time mute for ever.
func (l *lab) mute(d time.Duration) {
	until := time.Now().Add(d)
	l.net.fail(func(context.Context, string) (net.Conn, error) {
		if time.Now().Before(until) {
			return mute(), nil
		}
		return nil, nil
	})
}

// While a session may live, every host has its turn, however many swallow what is sent to them.
func TestEveryHostHasItsTurn(t *testing.T) {
	for name, fault := range hostFaults {
		for range 5 { // in another order each time
			inLab(t, three, func(l *lab) {
				l.config.Timeout = 6 * time.Second
				s, before := l.connected()
				l.faulty(fault, "a", "b")
				l.Disconnect()
				wait.Pass(time.Millisecond)
				after := l.conn(s, 2*time.Second)
				if after.Session != before.Session {
					t.Errorf("%s: want session 0x%x again, have 0x%x", name, before.Session, after.Session)
				}
			})
		}
	}
}
