package zk_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zkdev"
	"github.com/go-kit/log"
	gozk "github.com/go-zookeeper/zk"
)

const (
	secret  = "registrar:open-sesame"
	another = "registrar:changed-since"
)

// secretFile writes a file that only its owner may read.
func secretFile(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// inSecureWorld is inWorld without a directory: the servers make it, with credentials.
func inSecureWorld(t *testing.T, f func(w *world, file string)) {
	file := secretFile(t, secret+"\n")
	inWorld(t, anywhere+"&acl=creator&auth-file="+file, func(w *world) {
		w.Delete("/go_servers")
		f(w, file)
	})
}

// visitor is another program, with or without credentials.
func (w *world) visitor(credentials string) *gozk.Conn {
	w.t.Helper()
	conn, events, err := gozk.Connect([]string{"zookeeper.example.com:2181"}, 10*time.Second,
		gozk.WithLogInfo(false),
		gozk.WithLogger(quiet{}),
		gozk.WithHostProvider(&oneHost{}),
		gozk.WithDialer(func(network, address string, _ time.Duration) (net.Conn, error) {
			return w.Dial(context.Background(), network, address)
		}))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		conn.Close()
		for range events {
		}
	})
	if credentials != "" {
		if err := conn.AddAuth("digest", []byte(credentials)); err != nil {
			w.t.Fatal(err)
		}
	}
	return conn
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

type oneHost struct{ name string }

func (h *oneHost) Init(names []string) error { h.name = names[0]; return nil }
func (h *oneHost) Len() int                  { return 1 }
func (h *oneHost) Next() (string, bool)      { return h.name, false }
func (h *oneHost) Connected()                {}

// The content of the file shows up nowhere, whether it is good or bad.
func TestSecretsAreNotTold(t *testing.T) {
	var told lockedBuffer
	inSecureWorld(t, func(w *world, file string) {
		for range 2 {
			w.FailNext(zkdev.OpAuth, zkdev.AuthFailed)
		}
		b := w.open()
		r, err := sd.NewRegistrar(b, alice, log.NewLogfmtLogger(&told))
		if err != nil {
			t.Fatal(err)
		}
		v := sd.NewInstancer(b, log.NewLogfmtLogger(&told))
		stop := v.Follow(func(sd.Change) {})
		r.Register()
		tell := func() {
			fmt.Fprintln(&told, r.State(), v.State(), r.State().Err, v.State().Err)
			for _, any := range []any{b, *b, b.Stats(), w.target} {
				fmt.Fprintf(&told, "%v %+v %#v\n", any, any, any)
			}
		}
		tell()
		w.phase(r.State, time.Minute, sd.Registered)
		tell()
		w.protectAgain()
		r.Deregister()
		tell()
		for _, bad := range []string{"open-sesame", "registrar:open-sesame\nsecond", ":open-sesame", "registrar:open-sesame" + strings.Repeat("x", 2000)} {
			if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := zk.OpenBackend(w.target)
			if err == nil {
				t.Errorf("%.30q: want an error, have none", bad)
			}
			fmt.Fprintln(&told, err)
			w.Expire()
			wait.Pass(3 * time.Second)
			tell()
		}
		stop()
		v.Stop()
	})
	text := told.String()
	if !strings.Contains(text, "credentials") || !strings.Contains(text, "authentication failed") {
		t.Fatalf("want the name of the file, and the failure, have\n%s", text)
	}
	if strings.Contains(text, "sesame") || strings.Contains(text, "second") {
		t.Errorf("want no secret, have\n%s", text)
	}
}

// protectAgain takes the right to delete away from the servers.
func (w *world) protectAgain() {
	w.t.Helper()
	acl := slices.Concat(gozk.WorldACL(gozk.PermRead), gozk.AuthACL(gozk.PermCreate|gozk.PermAdmin))
	if _, err := w.visitor(secret).SetACL("/go_servers", acl, -1); err != nil {
		w.t.Fatal(err)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
