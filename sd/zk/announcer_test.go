package zk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk/internal/watch"
	"example.com/daytime/sd/zk/session"
	"example.com/daytime/sd/zk/zkdev"
)

// owner returns the session that owns the node of instance, or 0.
func (l *lab) owner(instance string) int64 {
	_, stat, _ := l.Get(defaultPath + "/" + instance)
	return stat.EphemeralOwner
}

// A foreign node that came into the place of our stale node just before the claim is not taken
// over: not at once, and not later either, though its data is ours by then. Nor does it matter that
// the reply is lost, or that we are another process by then.
func TestForeignNodeInTheStaleNodesPlace(t *testing.T) {
	for name, test := range map[string]struct{ lost, restart bool }{
		"":             {false, false},
		"reply lost":   {true, false},
		"restart":      {false, true},
		"both at once": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, home, func(l *lab) {
				const foreign = 0x1234
				b, _ := l.connected()
				l.misdirect(b, foreign, test.lost)
				if test.restart {
					b.Close()
					b, _ = l.connected()
				}
				for range 5 {
					again := l.call(func(ctx context.Context) error { return b.Announce(ctx, sd.Entry{Instance: alice}, func(sd.Status) {}) })
					wait.Pass(2 * time.Second)
					if err := again.ended(); !errors.Is(err, sd.ErrConflict) || l.owner(alice) != foreign {
						t.Fatalf("want %v and the owner 0x%x, have %v and 0x%x", sd.ErrConflict, foreign, err, l.owner(alice))
					}
				}
			})
		})
	}
}

// misdirect has b claim a foreign node, which came into the place of a stale node of alice
// while b looked at that.
func (l *lab) misdirect(b *Backend, foreign int64, loseReply bool) {
	first := l.announce(b, alice)
	l.HoldEphemerals()
	l.Expire()
	l.eventually(5*time.Second, func() error {
		if first.ended() == nil {
			return errors.New("the loss is not reported")
		}
		return nil
	})
	l.Slow(50 * time.Millisecond)
	before := l.Requests(zkdev.OpExists)
	l.call(func(ctx context.Context) error { return b.Announce(ctx, sd.Entry{Instance: alice}, func(sd.Status) {}) })
	l.eventually(time.Second, func() error { return atLeast("looks", before+1, l.Requests(zkdev.OpExists)) })
	l.Delete(defaultPath + "/" + alice) // the reply is under way
	l.Create(defaultPath+"/"+alice, []byte("another program's"), foreign)
	if loseReply {
		l.DropReply(zkdev.OpSetData)
	}
	wait.Pass(3 * time.Second)
}

// A node in the form that this program wrote first is a predecessor's as well: it is taken over at
// once, without a gap, and its successor's data is of today's form.
func TestFirstFormIsTakenOver(t *testing.T) {
	inLab(t, home, func(l *lab) {
		first := `{"host":"` + record.Self().Boot + `","address":"` + alice + `","process":1,"start":"2026-01-02T03:04:05Z"}`
		l.Create(defaultPath+"/"+alice, []byte(first), 0x1234)
		watcher, _ := l.connected()
		_, r := l.watch(watcher)
		l.shows(r, time.Second, alice)
		b, _ := l.connected()
		l.announce(b, alice)
		data, stat, err := l.Get(defaultPath + "/" + alice)
		if err != nil || stat.EphemeralOwner == 0x1234 || !isOurs(data, stat.EphemeralOwner) {
			t.Errorf("want the node of the new process, have %s of 0x%x, %v", data, stat.EphemeralOwner, err)
		}
		wait.Pass(time.Second)
		if n := r.Emits(); n != 1 {
			t.Errorf("emits: want the list alone, have %d", n)
		}
	})
}

// Only a person can remove a permanent node of our name, and the error says so.
func TestPermanentNode(t *testing.T) {
	inLab(t, home, func(l *lab) {
		l.Create(defaultPath+"/"+alice, documentOf(alice), 0)
		b, _ := l.connected()
		err := b.Announce(context.Background(), sd.Entry{Instance: alice}, func(sd.Status) {})
		if !errors.Is(err, sd.ErrConflict) || !strings.Contains(err.Error(), "a permanent node, which only a person can delete") {
			t.Errorf("want %v and what to do, have %v", sd.ErrConflict, err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		err = b.Announce(ctx, sd.Entry{Instance: alice}, func(sd.Status) {})
		if !errors.Is(err, sd.ErrConflict) || !errors.Is(err, context.Canceled) {
			t.Errorf("withdrawal of what was never ours: want %v and %v, have %v", sd.ErrConflict, context.Canceled, err)
		}
	})
}

// What no session ends is permanent, whatever stands in it, and whether or not it may be read.
func TestNodesThatNoSessionEnds(t *testing.T) {
	const ttl = -0x0100_0000_0000_0000 + 60_000 // 0xff0000, and the milliseconds in 40 bits
	for name, c := range map[string]struct {
		owner    int64
		unread   bool
		want     string
		takeover bool
	}{
		"permanent, unread": {0, true, "a permanent node, which only a person can delete", false},
		"container":         {-1 << 63, false, "a container node, which only a person can delete", false},
		"container, unread": {-1 << 63, true, "a container node, which only a person can delete", false},
		"TTL":               {ttl, false, "a node with a lifetime of its own", false},
		"another's session": {-0xabc, true, "session 0xfffffffffffff544, whose node the ACLs do not let us replace", false},
		"a session of ours": {-0x7fff_0000_0000_0000, false, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, home, func(l *lab) {
				l.Create(defaultPath+"/"+alice, documentOf(alice), c.owner)
				if c.unread {
					for range maxTries {
						l.FailNext(zkdev.OpGetData, zkdev.NoAuth)
					}
				}
				b, _ := l.connected()
				ctx, cancel := context.WithCancel(context.Background())
				err := b.Announce(ctx, sd.Entry{Instance: alice}, func(sd.Status) { cancel() })
				if took := ctx.Err() != nil; took != c.takeover {
					t.Errorf("taken over: want %v, have %v", c.takeover, took)
				}
				cancel()
				if !c.takeover && (!errors.Is(err, sd.ErrConflict) || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("want %v, %s, have %v", sd.ErrConflict, c.want, err)
				}
			})
		})
	}
}

// Entries that nobody needs are forgotten, those of a takeover after the minute for which it
// counts.
func TestEntriesAreForgotten(t *testing.T) {
	inLab(t, home, func(l *lab) {
		b, _ := l.connected()
		for n := range 20 {
			instance := fmt.Sprintf("192.0.2.1:%d", 1000+n)
			if n%2 == 0 {
				l.Create(defaultPath+"/"+instance, documentOf(instance), 0x1234)
			}
			l.announce(b, instance).stop()
		}
		l.FailAll(zkdev.OpDelete, zkdev.NoAuth) // so that they go with their sessions
		for n := range 20 {
			l.announce(b, fmt.Sprintf("192.0.2.1:%d", 2000+n)).stop()
		}
		wait.Pass(2 * time.Minute)
		if n := len(b.announcer.all()); n != 0 {
			t.Errorf("entries: want none, have %d", n)
		}
	})
}

// A takeover counts against the next ones also when its Announce has ended.
func TestTakeoversAreRemembered(t *testing.T) {
	inLab(t, home, func(l *lab) {
		b, _ := l.connected()
		announce := func() error {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			return b.Announce(ctx, sd.Entry{Instance: alice}, func(sd.Status) { cancel() })
		}
		for n := range 5 {
			l.Create(defaultPath+"/"+alice, documentOf(alice), 0x1234)
			want := context.Canceled
			if n >= maxTakeovers {
				want = sd.ErrConflict
			}
			if err := announce(); !errors.Is(err, want) {
				t.Fatalf("takeover %d: want %v, have %v", n+1, want, err)
			}
		}
		wait.Pass(time.Minute + time.Second)
		if err := announce(); !errors.Is(err, context.Canceled) {
			t.Errorf("a minute later: want %v, have %v", context.Canceled, err)
		}
	})
}

// An Announce that begins while a withdrawal is under way wins, at whatever point of it, and the
// node is not removed once it is wanted again.
func TestAnnounceDuringWithdrawal(t *testing.T) {
	for after := 5 * time.Millisecond; after < 400*time.Millisecond; after += 20 * time.Millisecond {
		inLab(t, home, func(l *lab) {
			b, _ := l.connected()
			first := l.announce(b, alice)
			l.Slow(1200 * time.Millisecond)
			first.cancel()
			<-first.done // not confirmed: the node is claimed, and the reply is under way
			if !errors.Is(first.err, sd.ErrUnconfirmed) {
				t.Fatalf("withdrawal: want %v, have %v", sd.ErrUnconfirmed, first.err)
			}
			l.Slow(0)
			time.Sleep(after)
			second := l.call(func(ctx context.Context) error { return b.Announce(ctx, sd.Entry{Instance: alice}, func(sd.Status) {}) })
			wait.Pass(5 * time.Second)
			if n := l.Requests(zkdev.OpDelete); n != 0 {
				t.Errorf("after %v: the node was removed after it was wanted again", after)
			}
			if err := second.ended(); err != nil || l.owner(alice) == 0 {
				t.Errorf("after %v: want it registered, have %v and owner %d", after, err, l.owner(alice))
			}
			second.stop()
			if l.owner(alice) != 0 {
				t.Error("not withdrawn")
			}
		})
	}
}

// Announce, hold and withdraw at once from many goroutines, with the session lost now and then:
// nothing is left behind, and no two calls have one path.
func TestAnnouncesSideBySide(t *testing.T) {
	inLab(t, home, func(l *lab) {
		b, _ := l.connected()
		for round := range 20 {
			var calls []*call
			for n := range 10 {
				instance := fmt.Sprintf("192.0.2.1:%d", 1000+n%7) // three are there twice
				calls = append(calls, l.call(func(ctx context.Context) error {
					return b.Announce(ctx, sd.Entry{Instance: instance}, func(sd.Status) {})
				}))
			}
			wait.Pass(time.Duration(round) * 3 * time.Millisecond)
			switch round % 4 {
			case 1:
				l.Expire()
			case 2:
				l.Disconnect()
			}
			conflicts := 0
			for _, c := range calls {
				if errors.Is(c.ended(), sd.ErrConflict) {
					conflicts++
				}
			}
			if conflicts != 3 {
				t.Fatalf("round %d: want 3 conflicts, have %d", round, conflicts)
			}
			for _, c := range calls {
				c.stop()
			}
		}
		wait.Pass(10 * time.Second)
		if names, _ := l.Children(defaultPath); len(names) != 0 {
			t.Errorf("left behind: %q", names)
		}
	})
}

// Only the latest report counts, and one about another state than the present one is dropped.
func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := unconnected(t)
		a := newAnnouncer(s, c, watch.New(s, c.directory))
		e, err := a.begin(sd.Entry{Instance: alice})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.begin(sd.Entry{Instance: alice}); !errors.Is(err, sd.ErrConflict) {
			t.Errorf("second begin: want %v, have %v", sd.ErrConflict, err)
		}
		a.setDesired(e, create)
		a.report(e, remove, ignore, report{err: errTest}) // stale
		a.report(e, create, create, report{err: errTest})
		a.report(e, create, keep, report{})
		if r := <-e.reports; r.err != nil || e.desired != keep {
			t.Errorf("want the latest report, nil, and keep, have %v and %d", r.err, e.desired)
		}
		a.report(e, keep, ignore, report{err: errTest})
		a.setDesired(e, remove)
		select {
		case r := <-e.reports:
			t.Errorf("a report about an earlier state: %v", r.err)
		default:
		}
	})
}

// unconnected returns a session that is never started, and its config.
func unconnected(t *testing.T) (*session.Session, config) {
	t.Helper()
	c, err := parseConfig(sdtest.Target(t, "zk://zookeeper.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := session.New(c.session)
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// isOurs reports whether this host wrote data for alice's node of session.
func isOurs(data []byte, session int64) bool {
	r, _ := record.Parse(data)
	return r.IsPredecessor(record.Self(), alice, session)
}

// What began after it was seen whether the policy is wanted has it read at the next opportunity, and
// not when the next audit of one that is denied is due.
func TestCreateWaitsForNoAuditOfADeniedPolicy(t *testing.T) {
	a := &announcer{entries: map[string]*entry{}}
	a.policy.Denied()
	c, e := new(session.Conn), new(entry)
	e.desired, e.pending = create, true
	if _, due := a.isDue(e, c); !due {
		t.Fatal("want it due at once")
	}
	a.reconcile(c, e, create) // the policy is not known: nothing was wanted when it was looked at
	if _, due := a.isDue(e, c); !due {
		t.Errorf("want it due once the policy is known, have it wait %v", time.Until(e.due))
	}
}
