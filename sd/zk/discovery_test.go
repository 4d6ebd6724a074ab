package zk_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zkdev"
	gozk "github.com/go-zookeeper/zk"
)

// All data is gone and the zxid with it: a Conn of go-zookeeper would be refused for ever. Servers
// come back by themselves, and clients keep their list meanwhile.
func TestWipedEnsemble(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		server, client := w.open(), w.open()
		r := w.register(server, alice)
		v := w.view(client)
		w.shows(v, time.Second, alice)
		for range 50 { // the session has seen more than the new data has
			w.SetData("/go_servers", nil)
		}
		wait.Pass(5 * time.Second) // a ping, or nobody has seen anything
		w.Wipe()
		start := time.Now()
		w.eventually(6*time.Second, func() error { return sdtest.Same("registered", []string{alice}, first(w.Children("/go_servers"))) })
		w.phase(r.State, 6*time.Second-time.Since(start), sd.Registered)
		w.registered(0, alice)
		w.phase(v.State, 6*time.Second, sd.Live)
		w.shows(v, time.Second, alice)
		if n := server.Stats().Recreated; n != 1 {
			t.Errorf("clients recreated: want 1, have %d", n)
		}
	})
}

// A plain restart leads back to the old session: nothing is written.
func TestLongOutageKeepsTheSession(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		b := w.open()
		r := w.register(b, alice)
		v := w.view(b)
		w.shows(v, time.Second, alice)
		session := w.owner(alice)
		w.Freeze() // no session expires meanwhile
		w.Disconnect()
		w.phase(r.State, 10*time.Second, sd.Lost)
		w.phase(v.State, 0, sd.Stale)
		if err := v.State().Err; !strings.Contains(err.Error(), "no session") {
			t.Errorf("error: want one that says there is no session, have %v", err)
		}
		w.Thaw()
		w.registered(10*time.Second, alice)
		w.phase(r.State, 10*time.Second, sd.Registered)
		w.phase(v.State, 10*time.Second, sd.Live)
		if have := w.owner(alice); have != session {
			t.Errorf("owner: want the session of before, 0x%x, have 0x%x", session, have)
		}
		if v.Smallest() != 1 {
			t.Errorf("smallest set shown: want 1, have %d", v.Smallest())
		}
	})
}

// A server that accepts and never answers costs less than a session timeout.
func TestHungServerIsLeft(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		b := w.open()
		v := w.view(b)
		w.shows(v, time.Second)
		w.Hang(true)
		w.Disconnect()
		w.phase(v.State, time.Second, sd.Stale)
		wait.Pass(3 * time.Second)
		w.Hang(false)
		if took := w.phase(v.State, 10*time.Second, sd.Live); took > 4*time.Second {
			t.Errorf("live %v after the server answers, want 4s at most", took)
		}
	})
}

// However a server fails, it is not hammered.
func TestDialsAreBounded(t *testing.T) {
	for name, fault := range map[string]func(*world){
		"refuses":            func(w *world) { w.Refuse(true); w.Disconnect() },
		"hangs":              func(w *world) { w.Hang(true); w.Disconnect() },
		"closes after login": func(w *world) { w.closeAfterLogin() },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, "zk://a.example.com,b.example.com,c.example.com?session-timeout=4s", func(w *world) {
				v := w.view(w.open())
				w.shows(v, time.Second)
				before := w.Dials()
				fault(w)
				wait.Pass(30 * time.Second)
				// two a second, and one for each host to begin with
				if n := w.Dials() - before; n > 64+4 || n < 10 {
					t.Errorf("dials in 30s: want 10 to 68, have %d", n)
				}
			})
		})
	}
}

// closeAfterLogin makes the server cut every connection once it is established.
func (w *world) closeAfterLogin() {
	w.Disconnect()
	done := make(chan struct{})
	w.t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		for range 3000 {
			time.Sleep(10 * time.Millisecond)
			w.Disconnect()
		}
	}()
}

// A directory that nobody made is unknown; one that vanishes is stale, and what was in it is kept.
func TestMissingDirectory(t *testing.T) {
	for _, mode := range []string{"persistent", "children"} {
		t.Run(mode, func(t *testing.T) {
			inWorld(t, anywhere+"&watch="+mode, func(w *world) {
				w.Delete("/go_servers")
				v := w.view(w.open())
				wait.Pass(2 * time.Minute)
				w.phase(v.State, 0, sd.Unknown)
				if v.Emits() != 0 {
					t.Fatalf("updates: want none, have %d", v.Emits())
				}
				w.Create("/go_servers", nil, 0)
				w.shows(v, time.Second)
				w.Create("/go_servers/"+alice, nil, 0)
				w.shows(v, time.Second, alice)
				w.Delete("/go_servers/" + alice)
				w.Delete("/go_servers")
				w.phase(v.State, time.Second, sd.Stale)
				wait.Pass(time.Minute)
				w.Create("/go_servers", nil, 0)
				w.Create("/go_servers/"+bob, nil, 0)
				w.shows(v, time.Second, bob)
			})
		})
	}
}

// A server before ZooKeeper 3.6 has no persistent watch; a target that insists on one says so.
func TestOldServer(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		w.LimitOps(102)
		b := w.open()
		v := w.view(b)
		r := w.register(b, alice)
		w.shows(v, 5*time.Second, alice)
		w.phase(r.State, 5*time.Second, sd.Registered)
		if have := b.Stats().Watch; have != "children" {
			t.Errorf("watch: want children, have %q", have)
		}
		w.Delete("/go_servers/" + alice)
		w.Create("/go_servers/"+bob, nil, 0)
		w.shows(v, 5*time.Second, alice, bob)
		dials := w.Dials()
		w.Disconnect()
		w.phase(v.State, time.Second, sd.Stale)
		w.phase(v.State, 5*time.Second, sd.Live)
		if n := w.Dials() - dials; n != 1 {
			t.Errorf("dials to come back: want 1, because the age is remembered, have %d", n)
		}
	})
	inWorld(t, anywhere+"&watch=persistent", func(w *world) {
		w.LimitOps(102)
		v := w.view(w.open())
		w.eventually(5*time.Second, func() error {
			if err := v.State().Err; err == nil || !strings.Contains(err.Error(), "older than ZooKeeper 3.6") {
				return fmt.Errorf("error: want the age of the server, have %v", err)
			}
			return nil
		})
	})
}

// Watches that are lost without a word are found by the audit.
func TestForgottenWatches(t *testing.T) {
	for _, mode := range []string{"persistent", "children"} {
		t.Run(mode, func(t *testing.T) {
			inWorld(t, anywhere+"&watch="+mode, func(w *world) {
				b := w.open()
				v := w.view(b)
				r := w.register(b, alice)
				w.shows(v, time.Second, alice)
				wait.Pass(time.Second) // no list is due
				w.ForgetWatches()
				w.Create("/go_servers/"+bob, nil, 0)
				w.Delete("/go_servers/" + alice)
				w.registered(36*time.Second, alice, bob)
				w.shows(v, 36*time.Second, alice, bob)
				if n := b.Stats().Repaired; n == 0 {
					t.Errorf("repaired: want it counted, have %+v at %v", b.Stats(), v.State())
				}
				w.phase(r.State, 0, sd.Registered)
			})
		})
	}
}

// With nothing to mend, an audit costs one small request and changes nothing.
func TestAuditIsQuiet(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		b := w.open()
		v := w.view(b)
		w.shows(v, time.Second)
		for n := range 50 {
			w.Create(fmt.Sprintf("/go_servers/192.0.2.1:%d", 1000+n), nil, 0)
			wait.Pass(7 * time.Second)
		}
		wait.Pass(5 * time.Minute)
		if s := b.Stats(); s.Lists != 1 || s.Repaired != 0 {
			t.Errorf("want 1 list and nothing repaired, have %+v", s)
		}
	})
}

// A server that lags behind is not believed.
func TestLaggingServer(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		w.Create("/go_servers/"+alice, nil, 0)
		b := w.open()
		v := w.view(b)
		w.shows(v, time.Second, alice)
		w.Lag()
		w.Create("/go_servers/"+bob, nil, 0)
		w.Disconnect()
		wait.Pass(10 * time.Second)
		if v.Smallest() != 1 {
			t.Errorf("smallest set shown: want 1, have %d", v.Smallest())
		}
		w.CatchUp()
		w.shows(v, 10*time.Second, alice, bob)
	})
}

// The names in a directory are not trusted.
func TestHostileNames(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		for _, name := range []string{
			"0.0.0.0:13", "[::]:13", "127.1:13", "010.0.0.1:13", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:+80", "1.2.3.4:13 ",
			"example.com:13", "[fe80::1%25eth0]:13", "224.0.0.1:13", "_c_x", "zookeeper", "[::FFFF:1.2.3.4]:80",
			"\u202e3.2.1:13", strings.Repeat("a", 1<<16),
		} {
			if err := w.Create("/go_servers/"+name, nil, 0); err != nil {
				t.Fatalf("%.40q: %v", name, err)
			}
		}
		w.Create("/go_servers/"+alice, nil, 0)
		w.Create("/go_servers/"+alice+"/child", nil, 0)
		v := w.view(w.open())
		w.shows(v, time.Second, alice)
		w.Create("/go_servers/"+strings.Repeat("b", 100), nil, 0)
		w.Create("/go_servers/"+bob, nil, 0)
		w.shows(v, time.Second, alice, bob)
		if have := v.Rejected(); have != 17 {
			t.Errorf("rejected: want 17, have %d", have)
		}
	})
}

// Any number of Watches of one backend share one watch and one session, and the subscribers of one
// Instancer share one list as well.
func TestWatchersShare(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		w.Create("/go_servers/"+alice, nil, 0)
		b := w.open()
		const instancers = 50
		views := make([]*sdtest.Viewer, instancers)
		for n := range views {
			views[n] = w.view(b)
		}
		for _, v := range views {
			w.shows(v, time.Second, alice)
		}
		w.Create("/go_servers/"+bob, nil, 0)
		for _, v := range views {
			w.shows(v, time.Second, alice, bob)
		}
		for range 50 {
			w.t.Cleanup(views[0].Follow(func(sd.Change) {}))
		}
		if lists, watches := w.Requests(zkdev.OpGetChildren2), w.Requests(zkdev.OpAddWatch); lists != instancers || watches != 1 || len(w.Sessions()) != 1 {
			t.Errorf("want %d lists, 1 watch, 1 session, have %d, %d, %d", instancers, lists, watches, len(w.Sessions()))
		}
		w.ForgetWatches()
		w.Create("/go_servers/"+carol, nil, 0)
		for _, v := range views { // the first audit tells all
			w.shows(v, 37*time.Second, alice, bob, carol)
		}
		if n := b.Stats().Repaired; n != 1 {
			t.Errorf("repaired: want it counted once, have %d", n)
		}
	})
}

// A takeover is no gap to a watcher, also when its two events come apart.
func TestTakeoverIsNoGap(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		for n := range 20 {
			w.stale(fmt.Sprintf("192.0.2.1:%d", 1000+n))
		}
		v := w.view(w.open())
		w.eventually(time.Second, func() error {
			if names, _ := v.Set(); len(names) != 20 {
				return errors.New("not all shown")
			}
			return nil
		})
		w.Slow(50 * time.Millisecond)
		for n := range 20 {
			w.register(w.open(), fmt.Sprintf("192.0.2.1:%d", 1000+n))
			wait.Pass(200 * time.Millisecond)
		}
		if v.Smallest() != 20 || v.Emits() != 1 {
			t.Errorf("want 20 in 1 update, have %d in %d", v.Smallest(), v.Emits())
		}
	})
}

// Closing ends the session on the server: nothing is left to time out.
func TestCloseEndsTheSession(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		b := w.open()
		w.register(b, alice)
		w.registered(time.Second, alice)
		b.Close()
		if n := len(w.Sessions()); n != 0 {
			t.Errorf("sessions: want none, have %d", n)
		}
		if _, err := w.Children("/go_servers"); errors.Is(err, gozk.ErrNoNode) {
			t.Error("the directory is gone")
		}
		w.registered(0)
		if err := b.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}

// Close returns, also if the server does not answer.
func TestCloseDoesNotHang(t *testing.T) {
	for name, fault := range map[string]func(*world){
		"never reached": func(w *world) { w.Refuse(true) },
		"hung":          func(w *world) { w.Hang(true) },
		"frozen":        func(w *world) { wait.Pass(time.Second); w.Freeze() },
		"cut":           func(w *world) { wait.Pass(time.Second); w.Fail() },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, anywhere, func(w *world) {
				b, err := zk.OpenBackend(w.target, zk.Dial(w.Dial))
				if err != nil {
					t.Fatal(err)
				}
				fault(w)
				start := time.Now()
				b.Close()
				if took := time.Since(start); took > 3*time.Second {
					t.Errorf("took %v, want 3s at most", took)
				}
			})
		})
	}
}

// A directory whose list is longer than is accepted is not asked for again and again, and the
// reason is told.
func TestListThatIsTooLong(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		b := w.open()
		r := w.register(b, alice)
		w.phase(r.State, time.Second, sd.Registered)
		for n := range 17 {
			if err := w.Create("/go_servers/"+strings.Repeat(string(rune('a'+n)), 1<<20-500), nil, 0); err != nil {
				t.Fatal(err)
			}
		}
		v := w.view(b)
		wait.Pass(5 * time.Second)
		dials, lists := w.Dials(), w.Requests(zkdev.OpGetChildren2)
		wait.Pass(time.Minute)
		if n := w.Requests(zkdev.OpGetChildren2) - lists; n > 6 {
			t.Errorf("lists in a minute: want 6 at most, have %d", n)
		}
		if n := w.Dials() - dials; n > 6 {
			t.Errorf("dials in a minute: want 6 at most, have %d", n)
		}
		if s := v.State(); s.Phase != sd.Unknown || !strings.Contains(fmt.Sprint(s.Err), "frame of 17") {
			t.Errorf("want unknown for the size of the frame, have %v", s)
		}
		w.phase(r.State, 10*time.Second, sd.Registered)
	})
}
