package zk

import (
	"context"
	"errors"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
)

// 200 times open, register, watch, stop and close in one process: everything is as before.
func TestCyclesLeaveNothing(t *testing.T) {
	inLab(t, home, func(l *lab) {
		for n := range 200 {
			b := l.open()
			c, r := l.watch(b)
			a := l.announce(b, alice)
			l.shows(r, time.Second, alice)
			a.stop()
			l.shows(r, time.Second)
			if n%2 == 0 {
				c.stop()
			}
			b.Close()
			<-c.done
			wait.Pass(0) // the server closes its end
			open := l.Connections()
			if open != 0 || len(l.Sessions()) != 0 || len(b.announcer.all()) != 0 {
				t.Fatalf("cycle %d: want nothing left, have %d connections, %d sessions, %d entries", n+1, open, len(l.Sessions()), len(b.announcer.all()))
			}
			if names, err := l.Children(defaultPath); len(names) != 0 || err != nil {
				t.Fatalf("cycle %d: left behind: %q, %v", n+1, names, err)
			}
		}
	}) // the end of the bubble is a check for goroutines
}

// The watches of a session on the server do not grow with every reader that comes and goes.
func TestWatchesDoNotGrow(t *testing.T) {
	for _, mode := range []string{"persistent", "children"} {
		inLab(t, home+"&watch="+mode, func(l *lab) {
			b, _ := l.connected()
			watches := func() int { return l.Sessions()[0].Watches }
			for range 50 {
				c, r := l.watch(b)
				a := l.announce(b, alice)
				l.shows(r, time.Second, alice)
				a.stop()
				c.stop()
			}
			// the directory and one node, of which a persistent watch counts twice
			if n := watches(); n > 4 {
				t.Errorf("%s: watches: want 4 at most, have %d", mode, n)
			}
		})
	}
}

// A Watch says that the Backend was closed, also one that is in the middle of an emit.
func TestWatchSaysThatItWasClosed(t *testing.T) {
	for range 20 {
		inLab(t, home, func(l *lab) {
			b, _ := l.connected()
			c := l.call(func(ctx context.Context) error {
				return b.Watch(ctx, sd.Want{}, func(sd.Change) { wait.Pass(time.Second) })
			})
			wait.Pass(100 * time.Millisecond)
			b.Close()
			<-c.done
			if !errors.Is(c.err, sd.ErrClosed) {
				t.Errorf("want %v, have %v", sd.ErrClosed, c.err)
			}
		})
	}
}

// Where no server could be told, the node lives on for a while, and the withdrawal is not confirmed
// by Close.
func TestCloseWithoutAServerConfirmsNothing(t *testing.T) {
	inLab(t, home, func(l *lab) {
		b, _ := l.connected()
		a := l.announce(b, alice)
		l.Refuse(true)
		l.Disconnect()
		wait.Pass(100 * time.Millisecond)
		a.cancel()
		wait.Pass(100 * time.Millisecond)
		b.Close()
		<-a.done
		if l.owner(alice) == 0 || !errors.Is(a.err, sd.ErrUnconfirmed) || !errors.Is(a.err, context.Canceled) {
			t.Errorf("want the node there, %v and %v, have the owner 0x%x and %v", sd.ErrUnconfirmed, context.Canceled, l.owner(alice), a.err)
		}
	})
}

// A goodbye that was lost with the connection confirms nothing either.
func TestGoodbyeThatIsCutOff(t *testing.T) {
	inLab(t, home, func(l *lab) {
		b, on := l.connected()
		a := l.announce(b, alice)
		l.Freeze()
		a.cancel()
		wait.Pass(100 * time.Millisecond) // the withdrawal is under way
		closing := l.call(func(context.Context) error { return b.Close() })
		wait.Pass(100 * time.Millisecond)
		l.Disconnect(on.Session)
		<-closing.done
		<-a.done
		l.Thaw()
		if l.owner(alice) == 0 || !errors.Is(a.err, sd.ErrUnconfirmed) {
			t.Errorf("want the node there and %v, have the owner 0x%x and %v", sd.ErrUnconfirmed, l.owner(alice), a.err)
		}
	})
}
