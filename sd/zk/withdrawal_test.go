package zk_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zktest"
	gozk "github.com/go-zookeeper/zk"
)

// A departures notes which servers left a directory, and how, as one Watch after the other tells.
type departures struct{ *sdtest.Recorder }

// watch calls Watch on b until stop is called.
func (d departures) watch(b sd.Backend) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			b.Watch(ctx, sd.Want{}, d.Emit)
		}
	})
	return func() { cancel(); running.Wait() }
}

// are returns an error unless these left, in whatever order.
func (d departures) are(lost, withdrew []string) error {
	if _, known := d.Set(); !known {
		return fmt.Errorf("nothing shown")
	}
	haveWithdrew, haveLost := d.Departed()
	return errors.Join(sdtest.Same("withdrew", withdrew, haveWithdrew),
		sdtest.Same("lost", lost, haveLost), d.Err())
}

// observe returns who leaves from now on.
func (w *world) observe(b sd.Backend) departures {
	w.t.Helper()
	d := departures{sdtest.NewRecorder()}
	w.t.Cleanup(d.watch(b))
	w.eventually(2*time.Second, func() error { return d.are(nil, nil) })
	return d
}

// A server that withdraws is told from one whose session expired, though not where a list is all
// that there is.
func TestWithdrawalIsTold(t *testing.T) {
	for mode, told := range map[string]bool{"persistent": true, "children": false} {
		t.Run(mode, func(t *testing.T) {
			inWorld(t, anywhere+"&watch="+mode, func(w *world) {
				b := w.open()
				w.Create("/go_servers/"+alice, nil, 0x1234)
				first, second := w.register(b, bob), w.register(b, carol)
				w.registered(time.Second, alice, bob, carol)
				d := w.observe(w.open())
				wait.Pass(2 * time.Second)
				first.Deregister()
				wait.Pass(100 * time.Millisecond) // lists come no closer
				second.Deregister()
				w.Delete("/go_servers/" + alice) // and an operator's delete is no withdrawal
				lost, withdrew := []string{alice}, []string{bob, carol}
				if !told {
					lost, withdrew = append(lost, withdrew...), nil
				}
				w.eventually(time.Second, func() error { return d.are(lost, withdrew) })
			})
		})
	}
}

// An expiry soon after a change of data is no withdrawal: a change alone is no claim.
func TestExpiryIsNoWithdrawal(t *testing.T) {
	names := []string{alice, bob, carol}
	change := func(w *world) {
		for _, name := range names {
			w.SetData("/go_servers/"+name, []byte(`{"weight":3}`))
		}
	}
	for name, c := range map[string]struct {
		live  bool // servers that write their data again
		steps func(w *world, observe func())
	}{
		"long after": {false, func(w *world, observe func()) { observe(); change(w); wait.Pass(1100 * time.Millisecond) }},
		"a list in between": {false, func(w *world, observe func()) {
			change(w)
			observe()
			wait.Pass(100 * time.Millisecond)
		}},
		"soon after a list": {false, func(w *world, observe func()) { observe() }},
		"live servers":      {true, func(w *world, observe func()) { observe(); change(w); wait.Pass(10 * time.Millisecond) }},
		"live servers, soon after a list": {true, func(w *world, observe func()) {
			change(w)
			observe()
			wait.Pass(10 * time.Millisecond)
		}},
		"live servers, on a slow link": {true, func(w *world, observe func()) {
			observe()
			w.Slow(100 * time.Millisecond)
			change(w)
			wait.Pass(600 * time.Millisecond)
		}},
		"the watcher was cut off": {false, func(w *world, observe func()) {
			observe()
			change(w)
			w.Disconnect()
			wait.Pass(500 * time.Millisecond)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, anywhere, func(w *world) {
				client, sessions := w.open(), []int64{0x1234}
				wait.Pass(time.Second)
				for _, name := range names {
					if c.live {
						w.phase(w.register(w.open(), name).State, time.Second, sd.Registered)
						sessions = append(sessions, w.owner(name))
					} else {
						w.Create("/go_servers/"+name, nil, 0x1234)
					}
				}
				var d departures
				c.steps(w, func() { d = w.observe(client) })
				w.Refuse(true) // or they are back at once
				if c.live {
					w.Expire(sessions...)
				} else {
					for _, name := range names {
						w.Delete("/go_servers/" + name)
					}
				}
				w.Refuse(false)
				w.eventually(2*time.Second, func() error { return d.are(names, nil) })
			})
		})
	}
}

// A live server whose data somebody changes writes it again, in one step, so that no watcher is
// told of anything and its successor can take the node over. It does not fight for it.
func TestDataIsWrittenAgain(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		r := w.register(w.open(), alice)
		w.phase(r.State, time.Second, sd.Registered)
		ours, _, _ := w.Get("/go_servers/" + alice)
		d := w.observe(w.open())
		for n, foreign := range []string{"", "hello", `{"host":"192.0.2.1"}`, strings.Replace(string(ours), "ALIVE", "DEAD", 1)} {
			w.SetData("/go_servers/"+alice, []byte(foreign))
			wait.Pass(100 * time.Millisecond)
			have, _, _ := w.Get("/go_servers/" + alice)
			if again := n < 3; again != (string(have) == string(ours)) {
				t.Errorf("change %d: want it written again: %t, have %s", n+1, again, have)
			}
		}
		wait.Pass(2 * time.Minute) // the fourth within a minute waits for an audit
		if have, _, _ := w.Get("/go_servers/" + alice); string(have) != string(ours) {
			t.Errorf("after an audit: want %s, have %s", ours, have)
		}
		if err := d.are(nil, nil); err != nil || r.State().Phase != sd.Registered {
			t.Errorf("want nobody told, have %v, %v", err, r.State())
		}
		zxid := w.Zxid()
		w.SetData("/go_servers/"+alice, ours) // by whomever: there is nothing to mend
		wait.Pass(2 * time.Minute)
		if n := w.Zxid() - zxid; n != 1 {
			t.Errorf("after the same data: want nothing written, have %d changes", n-1)
		}
	})
}

// Where the ACL lets a server not delete, it writes the data once, and stays.
func TestDataIsWrittenAgainWithoutDelete(t *testing.T) {
	inSecureWorld(t, func(w *world, _ string) {
		w.protect(gozk.PermCreate | gozk.PermRead)
		r := w.register(w.open(), alice)
		w.phase(r.State, time.Second, sd.Registered)
		ours, _, _ := w.Get("/go_servers/" + alice)
		owner := w.owner(alice)
		d := w.observe(w.open())
		for n, writes := range []int64{3, 1} { // the first time it finds that it may not
			zxid := w.Zxid()
			w.SetData("/go_servers/"+alice, []byte("hello"))
			wait.Pass(time.Second)
			have, _, _ := w.Get("/go_servers/" + alice)
			if n := w.Zxid() - zxid - 1; string(have) != string(ours) || n != writes || w.owner(alice) != owner {
				t.Errorf("want %s after %d writes, have %s after %d", ours, writes, have, n)
			}
			wait.Pass(time.Duration(n) * time.Minute)
		}
		w.Refuse(true)
		w.Expire(owner)
		w.Refuse(false)
		w.eventually(time.Second, func() error { return d.are([]string{alice}, nil) })
	})
}

// The same on a real server: many servers' data is changed, then all their sessions expire, then
// they withdraw.
func TestDeparturesOnZooKeeper(t *testing.T) {
	server := zktest.Start(t)
	tool := clearText(t, server)
	proxy := zktest.NewProxy(t, server.Addr())
	open := func(addr string) *zk.Backend {
		b, err := zk.Open(sdtest.Target(t, "zk://"+addr+"/go_servers?session-timeout=2s"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b.(*zk.Backend)
	}
	var names []string
	var registrars []*sd.Registrar
	for n := range 5 {
		names = append(names, fmt.Sprintf("192.0.2.9:%d", 1000+n))
		registrars = append(registrars, sdtest.Register(t, open(proxy.Addr()), names[n]))
	}
	registered := func() error {
		have, _, err := tool.Children("/go_servers")
		if err != nil {
			return err
		}
		return sdtest.Same("registered", names, have)
	}
	sdtest.Eventually(t, 10*time.Second, registered)
	d := departures{sdtest.NewRecorder()}
	t.Cleanup(d.watch(open(server.Addr())))
	sdtest.Eventually(t, 10*time.Second, func() error { return d.are(nil, nil) })
	for _, name := range names {
		if _, err := tool.Set("/go_servers/"+name, []byte("hello"), -1); err != nil {
			t.Fatal(err)
		}
	}
	sdtest.Eventually(t, 5*time.Second, func() error {
		for _, name := range names {
			if data, _, err := tool.Get("/go_servers/" + name); err != nil || !strings.Contains(string(data), `"status":"ALIVE"`) {
				return fmt.Errorf("%s: want its data again, have %q, %v", name, data, err)
			}
		}
		return d.are(nil, nil)
	})
	proxy.Refuse()
	proxy.Cut()
	sdtest.Eventually(t, 15*time.Second, func() error { return d.are(names, nil) })
	proxy.Heal()
	sdtest.Eventually(t, 10*time.Second, registered)
	for _, r := range registrars {
		r.Deregister()
	}
	sdtest.Eventually(t, 5*time.Second, func() error { return d.are(names, names) })
}
