package zk_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/zkdev"
	gozk "github.com/go-zookeeper/zk"
)

// With acl=creator a client without the credentials can list and read, and nothing else; one with
// them can do everything.
func TestVisitorsOnlyRead(t *testing.T) {
	inSecureWorld(t, func(w *world, _ string) {
		v := w.view(w.open())
		w.phase(w.register(w.open(), alice).State, time.Second, sd.Registered)
		w.shows(v, time.Second, alice)
		visitorsOnlyRead(t, w.visitor(""), "/go_servers/"+alice)
		visitorsOnlyRead(t, w.visitor(another), "/go_servers/"+alice)
		if err := w.visitor(secret).Delete("/go_servers/"+alice, -1); err != nil {
			t.Errorf("delete with the credentials: %v", err)
		}
		w.registered(time.Second, alice)
	})
}

func visitorsOnlyRead(t *testing.T, visitor *gozk.Conn, node string) {
	t.Helper()
	parent := node[:strings.LastIndexByte(node, '/')]
	open := gozk.WorldACL(gozk.PermAll)
	if _, _, err := visitor.Children(parent); err != nil {
		t.Errorf("children: %v", err)
	}
	if _, _, err := visitor.Get(node); err != nil {
		t.Errorf("get: %v", err)
	}
	_, set := visitor.Set(node, nil, -1)
	_, setACL := visitor.SetACL(node, open, -1)
	_, setParentACL := visitor.SetACL(parent, open, -1)
	_, create := visitor.Create(parent+"/"+bob, nil, 0, open)
	_, replace := visitor.Multi(
		&gozk.DeleteRequest{Path: node, Version: -1},
		&gozk.CreateRequest{Path: node, Acl: open})
	for what, err := range map[string]error{
		"set":               set,
		"set ACL":           setACL,
		"set parent's ACL":  setParentACL,
		"create":            create,
		"delete":            visitor.Delete(node, -1),
		"delete and create": replace,
	} {
		if !errors.Is(err, gozk.ErrNoAuth) {
			t.Errorf("%s: want %v, have %v", what, gozk.ErrNoAuth, err)
		}
	}
}

// By default anybody may do everything, as with other programs.
func TestOpenACL(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		w.Delete("/go_servers")
		w.phase(w.register(w.open(), alice).State, time.Second, sd.Registered)
		for _, path := range []string{"/go_servers", "/go_servers/" + alice} {
			have, _, err := w.visitor("").GetACL(path)
			if want := gozk.WorldACL(gozk.PermAll); err != nil || !slices.Equal(want, have) {
				t.Errorf("%s: want %v, have %v, error %v", path, want, have, err)
			}
		}
	})
}

// Where the directory's ACL lets servers create and not delete, a stale node is waited for.
func TestGhostIsWaitedForWithoutDelete(t *testing.T) {
	inSecureWorld(t, func(w *world, _ string) {
		w.protect(gozk.PermCreate | gozk.PermRead)
		dead := w.open()
		w.phase(w.register(dead, alice).State, time.Second, sd.Registered)
		old := w.owner(alice)
		zxid := w.Zxid()
		r := w.register(w.open(), alice)
		w.phase(r.State, time.Second, sd.Conflict)
		wait.Pass(time.Minute)
		if have := r.State(); have.Phase != sd.Conflict || !strings.Contains(have.Err.Error(), "ACL") {
			t.Errorf("state: want a conflict that names the ACL, have %v", have)
		}
		if have := w.Zxid(); have > zxid+3 { // a session, a claim, and what is denied
			t.Errorf("zxid: want %d at most, have %d", zxid+3, have)
		}
		w.Refuse(true) // to the one that is to die
		w.Expire(old)
		w.Refuse(false)
		w.eventually(5*time.Second, func() error {
			if names, _ := w.Children("/go_servers"); len(names) == 0 || w.owner(alice) == old {
				return errors.New("want a new owner")
			}
			return nil
		})
	})
}

// protect makes the directory as an administrator would, with perms for the servers.
func (w *world) protect(perms int32) {
	w.t.Helper()
	admin := w.visitor("admin:admin")
	if _, err := admin.Create("/go_servers", nil, 0, serversMay(perms)); err != nil {
		w.t.Fatal(err)
	}
}

// allow gives the servers other perms.
func (w *world) allow(perms int32) {
	w.t.Helper()
	if _, err := w.visitor("admin:admin").SetACL("/go_servers", serversMay(perms), -1); err != nil {
		w.t.Fatal(err)
	}
}

// serversMay lets the administrator who sets it do everything, and everybody read.
func serversMay(perms int32) []gozk.ACL {
	return slices.Concat(gozk.AuthACL(gozk.PermAll), gozk.WorldACL(gozk.PermRead), gozk.DigestACL(perms, "registrar", "open-sesame"))
}

// Without the right to delete, a node is withdrawn by ending the session; that is not held against
// the next registration.
func TestWithdrawnWithoutDelete(t *testing.T) {
	inSecureWorld(t, func(w *world, _ string) {
		w.protect(gozk.PermCreate | gozk.PermRead)
		b := w.open()
		r := w.register(b, alice)
		v := w.view(b)
		w.shows(v, time.Second, alice)
		for range 3 {
			w.phase(r.State, time.Second, sd.Registered)
			session := w.owner(alice)
			r.Deregister()
			if have := r.State(); have.Phase != sd.Withdrawn || have.Err != nil {
				t.Errorf("state: want withdrawn, have %v", have)
			}
			w.registered(0)
			w.shows(v, 2*time.Second)
			r.Register()
			w.registered(time.Second, alice)
			if w.owner(alice) == session {
				t.Error("owner: want another session, have the same")
			}
		}
		if n := b.Stats().Recreated; n != 0 {
			t.Errorf("recreated: want 0, have %d", n)
		}
	})
}

// A session with another node is not ended for that; the state says so, and Close removes both.
func TestWithdrawnWithoutDeleteBesideAnother(t *testing.T) {
	inSecureWorld(t, func(w *world, _ string) {
		w.protect(gozk.PermCreate | gozk.PermRead)
		b := w.open()
		r1, r2 := w.register(b, alice), w.register(b, bob)
		w.registered(time.Second, alice, bob)
		start, session := time.Now(), w.owner(bob)
		r1.Deregister()
		if took := time.Since(start); took > time.Second {
			t.Errorf("Deregister took %v, want 1s at most", took)
		}
		if err := r1.State().Err; !errors.Is(err, sd.ErrUnconfirmed) || !errors.Is(err, sd.ErrDenied) {
			t.Errorf("error: want %v and %v, have %v", sd.ErrUnconfirmed, sd.ErrDenied, err)
		}
		zxid := w.Zxid()
		wait.Pass(5 * time.Minute)
		w.registered(0, alice, bob)
		if have := w.Zxid(); have != zxid {
			t.Errorf("zxid: want %d, have %d", zxid, have)
		}
		if w.owner(bob) != session {
			t.Error("owner: want the same session, have another")
		}
		r2.Deregister()
		w.registered(time.Minute)
		r1.Register()
		r2.Register()
		w.registered(time.Second, alice, bob)
		r1.Deregister()
		b.Close()
		w.registered(0)
	})
}

// The directory is made below a level that we may not create, since that is there.
func TestParentsBelowProtectedRoot(t *testing.T) {
	file := secretFile(t, secret)
	inWorld(t, "zk://zookeeper.example.com/prod/eu/go_servers?acl=creator&auth-file="+file, func(w *world) {
		admin := w.visitor("admin:admin")
		mine := slices.Concat(gozk.AuthACL(gozk.PermAll), gozk.DigestACL(gozk.PermCreate, "registrar", "open-sesame"))
		_, err1 := admin.Create("/prod", nil, 0, mine)
		_, err2 := admin.SetACL("/", gozk.AuthACL(gozk.PermAll), -1)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		r := w.register(w.open(), alice)
		w.phase(r.State, time.Second, sd.Registered)
		visitorsOnlyRead(t, w.visitor(""), "/prod/eu/go_servers/"+alice)
	})
	inWorld(t, "zk://zookeeper.example.com/prod/eu/go_servers?acl=creator&auth-file="+file, func(w *world) {
		if _, err := w.visitor("admin:admin").SetACL("/", gozk.AuthACL(gozk.PermAll), -1); err != nil {
			t.Fatal(err)
		}
		r := w.register(w.open(), alice)
		if err := r.State().Err; !errors.Is(err, sd.ErrDenied) || !strings.Contains(err.Error(), "create /prod:") {
			t.Errorf("error: want %v that names /prod, have %v", sd.ErrDenied, err)
		}
	})
}

// A directory that may not be read is reported as denied, and asked for slowly.
func TestReadDenied(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		if _, err := w.visitor("admin:admin").SetACL("/go_servers", gozk.AuthACL(gozk.PermAll), -1); err != nil {
			t.Fatal(err)
		}
		v := w.view(w.open())
		w.eventually(time.Second, func() error {
			if err := v.State().Err; !errors.Is(err, sd.ErrDenied) {
				return fmt.Errorf("error: want %v, have %v", sd.ErrDenied, err)
			}
			return nil
		})
		wait.Pass(5 * time.Minute)
		if n := w.Requests(zkdev.OpGetChildren2); n > 25 {
			t.Errorf("lists in 5 minutes: want 25 at most, have %d", n)
		}
	})
}

// The administrator grants what a withdrawal was denied, and it is made.
func TestWithdrawnOnceItIsAllowed(t *testing.T) {
	inSecureWorld(t, func(w *world, _ string) {
		w.protect(gozk.PermCreate | gozk.PermRead)
		b := w.open()
		r := w.register(b, alice)
		w.register(b, bob)
		w.registered(time.Second, alice, bob)
		r.Deregister()
		wait.Pass(time.Minute)
		w.registered(0, alice, bob)
		w.allow(gozk.PermCreate | gozk.PermRead | gozk.PermDelete)
		w.registered(time.Minute, bob)
	})
}

// Persistent watches are silent about a node that we may not read, though lists name it. Audits
// find that out, and the directory is watched the other way from then on.
func TestNodesThatMayNotBeRead(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		private := w.visitor("other:secret")
		v := w.view(w.open())
		w.shows(v, time.Second)
		change := func(instance string, present bool) {
			path, err := "/go_servers/"+instance, error(nil)
			if present {
				_, err = private.Create(path, nil, 0, gozk.AuthACL(gozk.PermAll))
			} else {
				err = private.Delete(path, -1)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		change(alice, true)
		w.shows(v, 40*time.Second, alice)
		change(bob, true)
		w.shows(v, 40*time.Second, alice, bob)
		change(bob, false)
		w.shows(v, time.Second, alice)
		change(alice, false)
		w.shows(v, time.Second)
		w.phase(v.State, 0, sd.Live)
	})
}

// So is one that was allowed while the denial was on its way.
func TestWithdrawnThoughAllowedMeanwhile(t *testing.T) {
	inSecureWorld(t, func(w *world, _ string) {
		w.protect(gozk.PermCreate | gozk.PermRead)
		admin := w.visitor("admin:admin")
		b := w.open()
		r := w.register(b, alice)
		w.register(b, bob)
		w.registered(time.Second, alice, bob)
		for _, held := range []time.Duration{150, 250, 350, 450} { // one of them is between the denial and its arrival
			w.Slow(100 * time.Millisecond)
			go r.Deregister()
			wait.Pass(held * time.Millisecond)
			if _, err := admin.SetACL("/go_servers", serversMay(gozk.PermCreate|gozk.PermRead|gozk.PermDelete), -1); err != nil {
				t.Fatal(err)
			}
			w.Slow(0)
			w.registered(2*time.Minute, bob)
			w.allow(gozk.PermCreate | gozk.PermRead)
			r.Register()
			w.registered(time.Minute, alice, bob)
		}
	})
}

// A policy that the ACL does not allow to be written is told in one sentence, which names who may
// not, and where.
func TestDeniedPolicyIsToldOnce(t *testing.T) {
	file := secretFile(t, secret)
	for query, want := range map[string]string{
		"?auth-file=" + file: "zk: write policy /go_servers: the user in " + file +
			" has no right to write to /go_servers, which a policy takes",
		"": "zk: write policy /go_servers: nobody without credentials has the right to write to " +
			"/go_servers, which a policy takes; want auth-file=FILE with an operator's user:password",
	} {
		inWorld(t, "zk://zookeeper.example.com/go_servers"+query, func(w *world) {
			admin := w.visitor("admin:admin")
			acl := slices.Concat(gozk.AuthACL(gozk.PermAll), gozk.WorldACL(gozk.PermRead))
			if _, err := admin.SetACL("/go_servers", acl, -1); err != nil {
				w.t.Fatal(err)
			}
			err := w.open().WritePolicy(w.t.Context(), withdrawAlice, 0)
			if !errors.Is(err, sd.ErrDenied) || !errors.Is(err, gozk.ErrNoAuth) || err.Error() != want {
				w.t.Errorf("want %v and %q, have %v", sd.ErrDenied, want, err)
			}
		})
	}
}

// Two nodes that the policy withdraws do not keep each other: the session is ended for both.
func TestWithheldWithoutDeleteBesideAnother(t *testing.T) {
	inSecureWorld(t, func(w *world, _ string) {
		w.protect(gozk.PermCreate | gozk.PermRead)
		b := w.open()
		r1, r2, r3 := w.register(b, alice), w.register(b, bob), w.register(b, carol)
		w.registered(time.Second, alice, bob, carol)
		withdraw := func(who ...string) {
			w.SetData("/go_servers", []byte("#daytime-policy 1\nwithdraw "+strings.Join(who, "\nwithdraw ")+"\n"))
		}
		withdraw(alice, bob)
		wait.Pass(time.Minute)
		w.registered(0, alice, bob, carol) // which stays, and its session with it
		withdraw(alice, bob, carol)
		w.registered(2 * time.Second)
		for _, r := range []*sd.Registrar{r1, r2, r3} {
			w.phase(r.State, 2*time.Second, sd.Withheld)
		}
		withdraw(bob)
		w.registered(2*time.Second, alice, carol)
	})
}

// Attributes that the ACL of the node does not let its owner write are written once it does.
func TestAttributesOnceTheyAreAllowed(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		r := w.register(w.open(), alice)
		w.phase(r.State, time.Second, sd.Registered)
		node, admin := "/go_servers/"+alice, w.visitor("admin:admin")
		if _, err := admin.SetACL(node, slices.Concat(gozk.AuthACL(gozk.PermAll), gozk.WorldACL(gozk.PermRead)), -1); err != nil {
			t.Fatal(err)
		}
		r.SetAttributes(weighing(7))
		tried := w.Requests(zkdev.OpSetData)
		wait.Pass(5 * time.Minute)
		if n := w.Requests(zkdev.OpSetData) - tried; n > 30 {
			t.Errorf("want two tries in half a minute at most, have %d in 5 minutes", n)
		}
		if _, err := admin.SetACL(node, gozk.WorldACL(gozk.PermAll), -1); err != nil {
			t.Fatal(err)
		}
		w.eventually(40*time.Second, func() error {
			if data, _, _ := w.Get(node); !strings.Contains(string(data), `"weight":7`) {
				return fmt.Errorf("want the weight, have %s", data)
			}
			return nil
		})
		w.phase(r.State, 0, sd.Registered)
	})
}
