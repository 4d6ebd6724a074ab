package zk_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/transport/transporttest"
)

// A certificate runs out while the program runs, and the connection is lost after that. Replacing
// the file is enough.
func TestClientCertificateIsReplaced(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		a := transporttest.NewAuthority(w.t)
		m := w.terminate(a, "zookeeper.example.com", 1000*time.Hour)
		config := m.config.Load()
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, a.Pool()
		cert, key := a.Issue("registrar", time.Hour)
		b := w.openSecure(m, a, "&tls-cert="+cert+"&tls-key="+key)
		r := w.register(b, alice)
		w.phase(r.State, time.Second, sd.Registered)
		wait.Pass(2 * time.Hour)
		w.phase(r.State, 0, sd.Registered)
		w.Disconnect()
		w.says(r.State, 10*time.Second, "zookeeper.example.com:2181", "remote error: tls: ")
		if err := r.State().Err; !errors.Is(err, sd.ErrDenied) {
			t.Errorf("error: want %v, have %v", sd.ErrDenied, err)
		}
		dials := w.Dials()
		wait.Pass(5 * time.Minute)
		if n := w.Dials() - dials; n > 35 {
			t.Errorf("dials in 5 minutes: want 35 at most, have %d", n)
		}
		a.Issue("registrar", time.Hour)
		w.phase(r.State, time.Minute, sd.Registered)
	})
}

// So it is with the server's certificate and with the authority's.
func TestServerCertificateIsReplaced(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		a, other := transporttest.NewAuthority(w.t), transporttest.NewAuthority(w.t)
		m := w.terminate(a, "zookeeper.example.com", time.Hour)
		v := w.view(w.openSecure(m, a, ""))
		w.shows(v, time.Second)
		wait.Pass(2 * time.Hour)
		w.Disconnect()
		w.says(v.State, 5*time.Second, "zookeeper.example.com:2181", "certificate has expired")

		m.config.Store(w.terminate(other, "zookeeper.example.com", time.Hour).config.Load())
		w.says(v.State, 5*time.Second, "zookeeper.example.com:2181", "unknown authority")
		theirs, err := os.ReadFile(other.File)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(a.File, theirs, 0o600); err != nil {
			t.Fatal(err)
		}
		w.phase(v.State, 5*time.Second, sd.Live)
	})
}

// The name that counts is the one in the target, for each host its own.
func TestServerNameIsChecked(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		a := transporttest.NewAuthority(w.t)
		m := w.terminate(a, "elsewhere.example.com", time.Hour)
		v := w.view(w.openSecure(m, a, ""))
		w.says(v.State, 2*time.Second, "zookeeper.example.com:2181", "valid for elsewhere.example.com")
		b, err := zk.OpenBackend(sdtest.Target(w.t, "zk://one.example.com,elsewhere.example.com?tls-ca="+a.File), zk.Dial(m.Dial))
		if err != nil {
			t.Fatal(err)
		}
		w.t.Cleanup(func() { b.Close() })
		w.shows(w.view(b), 5*time.Second)
		if have, want := b.Stats().Server, "elsewhere.example.com:2181"; have != want {
			t.Errorf("server: want %s, have %s", want, have)
		}
	})
}

// A host that takes the connection and says nothing costs a dial's time.
func TestSilentHandshake(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		a := transporttest.NewAuthority(w.t)
		m := w.terminate(a, "good.example.com", time.Hour)
		var silent []net.Conn
		b, err := zk.OpenBackend(sdtest.Target(w.t, "zk://silent.example.com,good.example.com?tls-ca="+a.File),
			zk.Dial(func(ctx context.Context, network, address string) (net.Conn, error) {
				if strings.HasPrefix(address, "good") {
					return m.Dial(ctx, network, address)
				}
				client, server := net.Pipe()
				silent = append(silent, server)
				return client, nil
			}))
		if err != nil {
			t.Fatal(err)
		}
		w.t.Cleanup(func() {
			b.Close()
			for _, s := range silent {
				s.Close()
			}
		})
		w.shows(w.view(b), 3*time.Second)
	})
}

// A server that many clients come back to at once takes longer. It is given more time from round to
// round, rather than the same work again and again.
func TestSlowHandshake(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		a := transporttest.NewAuthority(w.t)
		m := w.terminate(a, "zookeeper.example.com", time.Hour)
		config := m.config.Load()
		config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
			time.Sleep(2 * time.Second)
			return config, nil
		}
		b := w.openSecure(m, a, "")
		w.shows(w.view(b), 20*time.Second)
		if n := b.Stats().Dials; n > 10 {
			t.Errorf("dials: want 10 at most, have %d", n)
		}
	})
}

// A client that uses TLS can be closed while the server does not read.
func TestCloseDoesNotWaitForGoodbye(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		a := transporttest.NewAuthority(w.t)
		b := w.openSecure(w.terminate(a, "zookeeper.example.com", time.Hour), a, "")
		w.shows(w.view(b), time.Second)
		w.Freeze()
		start := time.Now()
		b.Close()
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("Close took %v, want 2s at most", took)
		}
		w.Thaw()
	})
}

// Once a target asks for TLS, nothing else is ever sent, whatever the server says to it.
func TestNeverClearText(t *testing.T) {
	a := transporttest.NewAuthority(t)
	cert, key := a.Issue("registrar", time.Hour)
	for name, answer := range map[string]string{
		"closes":  "",
		"clear":   "\x00\x00\x00\x25\x00\x00\x00\x00\x00\x00\x27\x10\x01\x02\x03\x04\x05\x06\x07\x08",
		"alert":   "\x15\x03\x01\x00\x02\x02\x28",
		"old TLS": "\x16\x03\x01\x00\x04\x0e\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			var received lockedBuffer
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					first := make([]byte, 4096)
					n, _ := conn.Read(first)
					received.Write(first[:min(n, 3)])
					io.WriteString(conn, answer)
					rest := make([]byte, 4096)
					if n, _ := conn.Read(rest); n > 0 && rest[0] != 0x15 {
						received.Write(rest[:n])
					}
					conn.Close()
				}
			})
			file := secretFile(t, secret)
			b, err := zk.OpenBackend(sdtest.Target(t, "zk://"+strings.Repeat(l.Addr().String()+",", 3)+l.Addr().String()+"?acl=creator&auth-file="+file+"&tls-ca="+a.File+"&tls-cert="+cert+"&tls-key="+key))
			if err != nil {
				t.Fatal(err)
			}
			sdtest.Eventually(t, 10*time.Second, func() error {
				if n := b.Stats().Dials; n < 3 {
					return fmt.Errorf("dials: want 3, have %d", n)
				}
				return nil
			})
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			l.Close()
			wg.Wait()
			have := received.String()
			if len(have) < 3 || strings.ReplaceAll(have, "\x16\x03\x01", "") != "" {
				t.Errorf("want nothing but client hellos, have %q", have)
			}
		})
	}
}

// openSecure opens a backend through m, trusting a.
func (w *world) openSecure(m *terminator, a *transporttest.Authority, query string) *zk.Backend {
	w.t.Helper()
	b, err := zk.OpenBackend(sdtest.Target(w.t, anywhere+"&tls-ca="+a.File+query), zk.Dial(m.Dial))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { b.Close() })
	return b
}

// says waits until the error of state holds all of want.
func (w *world) says(state func() sd.State, within time.Duration, want ...string) {
	w.t.Helper()
	w.eventually(within, func() error {
		have := fmt.Sprint(state().Err)
		for _, part := range want {
			if !strings.Contains(have, part) {
				return fmt.Errorf("error: want %q in it, have %s", part, have)
			}
		}
		return nil
	})
}
