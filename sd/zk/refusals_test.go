package zk_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/zkdev"
)

// A refusal that only a person can mend is a denial, and is tried every 10 to 30 s: a quota, SASL,
// local sessions, an ACL. The error says what to do.
func TestDenialsOfTheServer(t *testing.T) {
	for code, part := range map[zkdev.Code]string{
		-120: "localSessionsUpgradingEnabled", -124: "SASL", -125: "raise the quota", zkdev.NoAuth: "want auth-file",
	} {
		inWorld(t, "zk://zookeeper.example.com", func(w *world) {
			w.Create("/go_servers", nil, 0)
			w.FailAll(zkdev.OpCreate, code)
			r := w.register(w.open(), alice)
			wait.Pass(time.Second)
			if err := r.State().Err; !errors.Is(err, sd.ErrDenied) || !strings.Contains(err.Error(), part) {
				t.Errorf("%d: want %v and %q, have %v", code, sd.ErrDenied, part, err)
			}
			before := w.Requests(zkdev.OpCreate)
			wait.Pass(5 * time.Minute)
			if n := w.Requests(zkdev.OpCreate) - before; n < 8 || n > 32 {
				t.Errorf("%d: want 8 to 32 tries in 5 minutes, have %d", code, n)
			}
		})
	}
}

// However a server refuses persistent watches, watch=auto lists and registers there, and says so
// once.
func TestServerWithoutPersistentWatches(t *testing.T) {
	for name, refuse := range map[string]func(w *world){
		"-1":     func(w *world) { w.FailAll(zkdev.OpAddWatch, -1) },
		"-5":     func(w *world) { w.FailAll(zkdev.OpAddWatch, -5) },
		"-8":     func(w *world) { w.FailAll(zkdev.OpAddWatch, -8) },
		"-102":   func(w *world) { w.FailAll(zkdev.OpAddWatch, zkdev.NoAuth) },
		"-125":   func(w *world) { w.FailAll(zkdev.OpAddWatch, -125) },
		"closes": func(w *world) { w.CloseOn(zkdev.OpAddWatch) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, "zk://zookeeper.example.com?session-timeout=4s", func(w *world) {
				refuse(w)
				r := w.register(w.open(), alice)
				b := w.open()
				v := w.view(b)
				w.phase(r.State, 5*time.Second, sd.Registered)
				w.shows(v, 5*time.Second, alice)
				if have := b.Stats().Watch; have != "children" {
					t.Errorf("want it watched by lists, have %s", have)
				}
				asked := w.Requests(zkdev.OpAddWatch)
				w.Disconnect()
				wait.Pass(5 * time.Second)
				if n := w.Requests(zkdev.OpAddWatch); n != asked {
					t.Errorf("addWatch: want no more of them on a known server, have %d", n-asked)
				}
			})
		})
	}
}

// One reply with a wrong length costs discovery a moment.
func TestWrongLengthOfAList(t *testing.T) {
	for _, length := range []int32{-1, 3, 17 << 20, 1<<31 - 1} {
		inWorld(t, "zk://zookeeper.example.com", func(w *world) {
			w.register(w.open(), alice)
			w.BadLengthNext(zkdev.OpGetChildren2, length)
			v := w.view(w.open())
			w.shows(v, time.Second, alice)
		})
	}
}
