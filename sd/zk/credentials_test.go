package zk_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zkdev"
	gozk "github.com/go-zookeeper/zk"
)

// The credentials precede every request, on every connection.
func TestCredentialsComeFirst(t *testing.T) {
	inSecureWorld(t, func(w *world, _ string) {
		var all wiretap
		b := w.openThrough(all.dial)
		r := w.register(b, alice)
		for n := range 50 {
			if n%10 == 9 {
				w.Expire()
			}
			w.Disconnect()
			wait.Pass(5 * time.Second)
			w.phase(r.State, 5*time.Second, sd.Registered)
		}
		list := all.requests()
		if len(list) < 50 {
			t.Fatalf("connections: want 50 at least, have %d", len(list))
		}
		authenticated := 0
		for _, ops := range list {
			if len(ops) > 1 && ops[1] != zkdev.OpAuth {
				t.Errorf("want the credentials after the handshake, have %v", ops)
			}
			authenticated += len(ops[1:])
		}
		if authenticated < 100 {
			t.Errorf("requests: want 100 at least, have %d", authenticated)
		}
	})
}

// One write error while go-zookeeper sends credentials again blocks it for ever
// (https://github.com/go-zookeeper/zk/pull/163). Here it is one connection.
func TestWriteErrorDuringAuthentication(t *testing.T) {
	for write := range 5 { // handshake, credentials, and the requests after them
		t.Run(fmt.Sprint(write), func(t *testing.T) {
			inSecureWorld(t, func(w *world, _ string) {
				all := wiretap{fails: func(t *tap) bool { return t.nth == 1 && t.writes == write }}
				b := w.openThrough(all.dial)
				r, v := w.register(b, alice), w.view(b)
				w.shows(v, time.Second, alice)
				session := w.owner(alice)
				w.Disconnect()
				w.eventually(4*time.Second, func() error {
					if n := w.Dials(); n < 3 {
						return fmt.Errorf("dials: want 3, have %d", n)
					}
					return nil
				})
				w.phase(v.State, 3*time.Second, sd.Live)
				w.phase(r.State, 3*time.Second, sd.Registered)
				if have := w.owner(alice); have != session {
					t.Errorf("session: want 0x%x, have 0x%x", session, have)
				}
			})
		})
	}
}

// A handshake with credentials that is cut anywhere is followed by another.
func TestCutDuringAuthentication(t *testing.T) {
	disturb := map[string]func(w *world){
		"reply dropped": func(w *world) { w.DropReply(zkdev.OpAuth) },
		"failed":        func(w *world) { w.FailNext(zkdev.OpAuth, zkdev.AuthFailed) },
	}
	for n := 1; n < 150; n += 3 {
		disturb[fmt.Sprint("cut after reading ", n)] = func(w *world) { w.CutAfterReading(n) }
		disturb[fmt.Sprint("cut after writing ", n)] = func(w *world) { w.CutAfterWriting(n) }
	}
	for name, f := range disturb {
		t.Run(name, func(t *testing.T) {
			inSecureWorld(t, func(w *world, _ string) {
				f(w)
				b := w.open()
				r := w.register(b, alice)
				w.phase(r.State, time.Minute, sd.Registered)
				f(w)
				w.Disconnect()
				wait.Pass(time.Minute)
				w.phase(r.State, time.Minute, sd.Registered)
				visitorsOnlyRead(t, w.visitor(""), "/go_servers/"+alice)
			})
		})
	}
}

// A server that hangs when it has the credentials is left for another as soon as one that hangs
// before.
func TestHangDuringAuthentication(t *testing.T) {
	inSecureWorld(t, func(w *world, _ string) {
		all := wiretap{fails: func(t *tap) bool {
			if t.nth == 1 && t.writes == 1 {
				w.Freeze()
			}
			return false
		}}
		r := w.register(w.openThrough(all.dial), alice)
		w.phase(r.State, time.Second, sd.Registered)
		w.Disconnect()
		w.eventually(4*time.Second, func() error {
			if n := w.Dials(); n < 3 {
				return fmt.Errorf("dials: want 3, have %d", n)
			}
			return nil
		})
		wait.Pass(time.Second)
		w.Thaw()
		wait.Pass(10 * time.Second)
		w.phase(r.State, 10*time.Second, sd.Registered)
		if have, want := all.requests()[1], []zkdev.Op{zkdev.OpConnect, zkdev.OpAuth}; !slices.Equal(want, have) {
			t.Errorf("on the connection that hung: want %v, have %v", want, have)
		}
	})
}

// Credentials that the server does not take are reported as denied, and tried again slowly: each
// try leaves a session behind. Once they are taken all is well without a restart.
func TestCredentialsDenied(t *testing.T) {
	inSecureWorld(t, func(w *world, _ string) {
		for range 40 {
			w.FailNext(zkdev.OpAuth, zkdev.AuthFailed)
		}
		b := w.open()
		r, v := w.register(b, alice), w.view(b)
		w.eventually(2*time.Second, func() error {
			for _, err := range []error{r.State().Err, v.State().Err} {
				if !errors.Is(err, sd.ErrDenied) || !errors.Is(err, gozk.ErrAuthFailed) || !strings.Contains(err.Error(), "auth-file") {
					return fmt.Errorf("error: want %v that names auth-file, have %v", sd.ErrDenied, err)
				}
			}
			return nil
		})
		wait.Pass(5 * time.Minute)
		if n := w.Dials(); n < 15 || n > 35 {
			t.Errorf("dials in 5 minutes: want 15 to 35, have %d", n)
		}
		if b.Stats().Session != 0 {
			t.Error("want no session, have one")
		}
		w.phase(r.State, 6*time.Minute, sd.Registered) // after the 40th
	})
}

// The file is read for every connection, so that a password can be changed.
func TestCredentialsAreReadAgain(t *testing.T) {
	inSecureWorld(t, func(w *world, file string) {
		b := w.open()
		r := w.register(b, alice)
		w.phase(r.State, time.Second, sd.Registered)
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		w.Expire()
		w.eventually(5*time.Second, func() error {
			if err := r.State().Err; err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "0640") {
				return fmt.Errorf("error: want one that names %s and 0640, have %v", file, err)
			}
			return nil
		})
		if err := errors.Join(os.Chmod(file, 0o600), os.WriteFile(file, []byte(another), 0o600)); err != nil {
			t.Fatal(err)
		}
		w.Delete("/go_servers") // which the old password owns
		w.phase(r.State, 10*time.Second, sd.Registered)
		if _, err := w.visitor(another).Set("/go_servers", nil, -1); err != nil {
			t.Errorf("set with the new password: %v", err)
		}
	})
}

// openThrough opens a backend whose connections pass through wrap.
func (w *world) openThrough(wrap func(zk.DialFunc) zk.DialFunc) *zk.Backend {
	w.t.Helper()
	b, err := zk.OpenBackend(w.target, zk.Dial(wrap(w.Dial)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { b.Close() })
	return b
}

// A wiretap keeps what clients send.
type wiretap struct {
	mu    sync.Mutex
	taps  []*tap
	fails func(tap *tap) bool // whether the write under way fails
}

type tap struct {
	net.Conn
	all    *wiretap
	nth    int // of the connections
	writes int
	sent   bytes.Buffer
}

func (w *wiretap) dial(next zk.DialFunc) zk.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := next(ctx, network, address)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		t := &tap{Conn: conn, all: w, nth: len(w.taps)}
		w.taps = append(w.taps, t)
		return t, nil
	}
}

func (t *tap) Write(b []byte) (int, error) {
	t.all.mu.Lock()
	fails := t.all.fails != nil && t.all.fails(t)
	t.writes++
	t.sent.Write(b)
	t.all.mu.Unlock()
	if fails {
		return 0, errors.New("write failed")
	}
	return t.Conn.Write(b)
}

// requests returns the operations that were sent on each connection; the handshake is the first.
func (w *wiretap) requests() (list [][]zkdev.Op) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.taps {
		ops := []zkdev.Op{zkdev.OpConnect}
		rest := t.sent.Bytes()
		for n := 0; len(rest) >= 4; n++ {
			size := 4 + int(binary.BigEndian.Uint32(rest))
			if n > 0 {
				ops = append(ops, zkdev.Op(binary.BigEndian.Uint32(rest[8:])))
			}
			rest = rest[min(size, len(rest)):]
		}
		list = append(list, ops)
	}
	return list
}
