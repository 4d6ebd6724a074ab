package session

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/internal/wait"
)

// An ensemble that is wiped over and over leaves one connection, one session and no goroutine.
func TestWipesLeaveNothing(t *testing.T) {
	inLab(t, one, func(l *lab) {
		b, _ := l.connected()
		for n := range 5 {
			for range 50 {
				l.SetData("/", nil)
			}
			on := l.conn(b, time.Second)
			if _, _, err := on.Exists("/"); err != nil { // its reply tells how far ZooKeeper is; a ping's does not
				t.Fatal(err)
			}
			l.Wipe()
			l.eventually(10*time.Second, func() error { return atLeast("recreated", n+1, int(b.Stats().Generation)) })
			wait.Pass(5 * time.Second)
			if open, _ := l.net.opened(); open != 1 || len(l.Sessions()) != 1 {
				t.Errorf("after wipe %d: want 1 connection and session, have %d and %d", n+1, open, len(l.Sessions()))
			}
		}
	})
}

// Whatever is under way, Close returns and leaves no connection.
func TestCloseAtAnyTime(t *testing.T) {
	for name, fault := range hostFaults {
		t.Run(name, func(t *testing.T) {
			for after := time.Duration(0); after < 6*time.Second; after += 170 * time.Millisecond {
				inLab(t, three, func(l *lab) {
					b, _ := l.connected()
					l.faulty(fault, "a", "b", "c")
					l.Disconnect()
					time.Sleep(after)
					start := time.Now()
					b.Close()
					if took := time.Since(start); took > 3*time.Second {
						t.Errorf("after %v: Close took %v, want 3s at most", after, took)
					}
					synctest.Wait()
					if open, _ := l.net.opened(); open != 0 {
						t.Errorf("after %v: %d connections left", after, open)
					}
				})
			}
		})
	}
}

// A write error while credentials are sent again after a reconnect blocks go-zookeeper's own way of
// sending them for ever.
func TestWriteErrorDuringReauthentication(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("user:password\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	inLab(t, one, func(l *lab) {
		l.config.AuthFile = file
		b, before := l.connected()
		for n := range 5 {
			broken := 0
			l.net.fail(func(ctx context.Context, address string) (net.Conn, error) {
				conn, err := l.Dial(ctx, "tcp", address)
				if broken++; broken > 2 || err != nil {
					return conn, err
				}
				return &breaksOnSecondWrite{Conn: conn}, nil
			})
			l.Disconnect()
			wait.Pass(time.Millisecond)
			after := l.conn(b, 5*time.Second)
			if after.Session != before.Session {
				t.Errorf("round %d: session: want 0x%x again, have 0x%x", n+1, before.Session, after.Session)
			}
			if exists, _, err := after.Exists(directory); !exists || err != nil {
				t.Errorf("round %d: want an answer, have %t, %v", n+1, exists, err)
			}
		}
		if n := b.Stats().Dials; n != 1+5*3 {
			t.Errorf("dials: want 16, have %d", n)
		}
	})
}

// breaksOnSecondWrite writes a connect request, and not the credentials.
type breaksOnSecondWrite struct {
	net.Conn
	writes int
}

func (c *breaksOnSecondWrite) Write(b []byte) (int, error) {
	if c.writes++; c.writes > 1 {
		return 0, errTest
	}
	return c.Conn.Write(b)
}
