package zk

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk/session"
	"example.com/daytime/sd/zk/zkdev"
)

// The instances of the tests.
const (
	alice = "192.0.2.1:8897"
	bob   = "192.0.2.2:8897"
)

// A lab is a directory on a server in memory, in a bubble of virtual time. Its tests look into the
// package; those of the outside are in zk_test.
type lab struct {
	*zkdev.Server
	t      *testing.T
	target sd.Target
}

// inLab runs f in a bubble with a fresh lab.
func inLab(t *testing.T, target string, f func(l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{Server: zkdev.New(), t: t, target: sdtest.Target(t, target)}
		t.Cleanup(func() { l.Close() })
		if err := l.Create(defaultPath, nil, 0); err != nil {
			t.Fatal(err)
		}
		f(l)
	})
}

// open opens a backend that is closed before the server is.
func (l *lab) open() *Backend {
	l.t.Helper()
	b, err := OpenBackend(l.target, Dial(l.Dial))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { b.Close() })
	return b
}

// connected opens a backend and waits for its session.
func (l *lab) connected() (*Backend, *session.Conn) {
	l.t.Helper()
	b := l.open()
	return b, l.conn(b, time.Second)
}

// conn waits until b has a session.
func (l *lab) conn(b *Backend, within time.Duration) *session.Conn {
	l.t.Helper()
	var have *session.Conn
	l.eventually(within, func() error {
		if have, _ = b.session.Conn(); have == nil || have.Err() != nil {
			return errors.Join(errors.New("no session"), b.session.Err())
		}
		return nil
	})
	return have
}

// eventually waits until f returns nil, and returns how long that took.
func (l *lab) eventually(within time.Duration, f func() error) time.Duration {
	l.t.Helper()
	return wait.InBubble(l.t, within, f)
}

// A call is a Watch or an Announce under way.
type call struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the call has returned err
	err    error
}

// call starts f. It is ended, if it has not, when the test is.
func (l *lab) call(f func(ctx context.Context) error) *call {
	ctx, cancel := context.WithCancel(context.Background())
	c := &call{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.err = f(ctx)
	}()
	l.t.Cleanup(c.stop)
	return c
}

func (c *call) stop() {
	c.cancel()
	<-c.done
}

// ended returns the call's error, or nil while it goes on.
func (c *call) ended() error {
	synctest.Wait()
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// watch starts a Watch on b.
func (l *lab) watch(b *Backend) (*call, *sdtest.Recorder) {
	r := sdtest.NewRecorder()
	return l.call(func(ctx context.Context) error { return b.Watch(ctx, sd.Want{}, r.Emit) }), r
}

// shows waits until r shows just want.
func (l *lab) shows(r *sdtest.Recorder, within time.Duration, want ...string) time.Duration {
	l.t.Helper()
	return l.eventually(within, func() error { return errors.Join(r.Is(want...), r.Err()) })
}

// announce starts an Announce on b, and waits until the instance is up.
func (l *lab) announce(b *Backend, instance string) *call {
	l.t.Helper()
	up := make(chan struct{})
	c := l.call(func(ctx context.Context) error {
		return b.Announce(ctx, sd.Entry{Instance: instance}, func(sd.Status) { close(up) })
	})
	select {
	case <-up:
	case <-c.done:
		l.t.Fatal(c.err)
	case <-time.After(5 * time.Second):
		l.t.Fatalf("announce %s: not up", instance)
	}
	return c
}

// errTest is a failure that a test brings about.
var errTest = errors.New("by test")

// documentOf is the data of a node of instance that another process of this host has left.
func documentOf(instance string) []byte {
	owner := record.Self()
	owner.Process++
	return record.Record{Instance: instance, Owner: owner}.Encode()
}
