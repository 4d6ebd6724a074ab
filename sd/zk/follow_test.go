package zk

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/zkdev"
	"github.com/go-kit/log"
)

const home = "zk://zookeeper.example.com?session-timeout=4s"

// The directory appears between the list that did not find it and the watch for its creation: no
// event will tell.
func TestParentAppearsBeforeItsWatch(t *testing.T) {
	inLab(t, home+"&watch=children", func(l *lab) {
		l.Delete(defaultPath)
		b, _ := l.connected()
		l.Slow(50 * time.Millisecond)
		_, r := l.watch(b)
		l.eventually(time.Second, func() error { return atLeast("lists", 1, l.Requests(zkdev.OpGetChildren2)) })
		l.Create(defaultPath, nil, 0) // the answer, NoNode, is under way
		if took := l.shows(r, 40*time.Second); took > time.Second {
			t.Errorf("shown after %v, want 1s at most", took)
		}
	})
}

func atLeast(what string, want, have int) error {
	if have < want {
		return fmt.Errorf("%s: want %d at least, have %d", what, want, have)
	}
	return nil
}

// Audits go on when there are changes all the time: they are for an event
// that is missing among many.
func TestAuditsGoOnUnderChurn(t *testing.T) {
	inLab(t, home, func(l *lab) {
		b, _ := l.connected()
		_, r := l.watch(b)
		l.shows(r, time.Second)
		before := l.Requests(zkdev.OpExists)
		for n := range 60 {
			l.Create(fmt.Sprintf("%s/192.0.2.1:%d", defaultPath, 1000+n), nil, 0)
			wait.Pass(5 * time.Second)
		}
		// 5 minutes, and 24 to 36 s from one to the next
		if have := l.Requests(zkdev.OpExists) - before; have < 8 || have > 12 {
			t.Errorf("audits: want 8 to 12, have %d", have)
		}
		if s := b.Stats(); s.Repaired != 0 || s.Lists != 1 {
			t.Errorf("want nothing repaired and 1 list, have %+v", s)
		}
	})
}

// With one-shot watches an audit may meet a change whose event is on its way: that is no event
// missed.
func TestAuditMeetsChange(t *testing.T) {
	inLab(t, home+"&watch=children", func(l *lab) {
		b, _ := l.connected()
		l.Slow(50 * time.Millisecond)
		c, r := l.watch(b)
		l.shows(r, time.Second)
		for n := range 5 {
			audits := l.Requests(zkdev.OpExists)
			l.eventually(40*time.Second, func() error { return atLeast("audits", audits+1, l.Requests(zkdev.OpExists)) })
			l.Create(fmt.Sprintf("%s/192.0.2.1:%d", defaultPath, 1000+n), nil, 0) // the audit is answered already
			wait.Pass(time.Second)
		}
		if err := c.ended(); err != nil || b.Stats().Repaired != 0 {
			t.Errorf("want a watch that goes on, and nothing repaired, have %v and %+v", err, b.Stats())
		}
	})
}

// A withdrawal looks like the first half of a takeover. Many at once on a slow link are
// taken in together, and hold up nobody else.
func TestMassWithdrawal(t *testing.T) {
	inLab(t, home, func(l *lab) {
		const servers = 200
		path := func(n int) string { return fmt.Sprintf("%s/192.0.2.9:%d", defaultPath, 1000+n) }
		for n := range servers {
			l.Create(path(n), nil, 0)
		}
		b, _ := l.connected()
		_, r := l.watch(b)
		l.eventually(time.Second, func() error { return atLeast("shown", servers, size(r)) })
		l.Slow(50 * time.Millisecond)
		for n := range servers {
			l.SetData(path(n), nil)
			l.Delete(path(n))
		}
		if took := l.shows(r, 15*time.Second); took > 500*time.Millisecond {
			t.Errorf("200 withdrawals shown after %v, want 500ms at most", took)
		}
	})
}

// While servers withdraw one after the other, faster than a round trip, others are shown.
func TestWithdrawalsDoNotHoldUpOthers(t *testing.T) {
	inLab(t, home, func(l *lab) {
		b, _ := l.connected()
		_, r := l.watch(b)
		l.shows(r, time.Second)
		l.Slow(50 * time.Millisecond)
		for n := range 1000 {
			path := fmt.Sprintf("%s/192.0.2.9:%d", defaultPath, 1000+n)
			l.Create(path, nil, 0)
			l.SetData(path, nil)
			l.Delete(path)
			wait.Pass(10 * time.Millisecond)
			if n == 500 {
				l.Create(defaultPath+"/"+alice, nil, 0)
			}
			if names, _ := r.Set(); n == 520 && !slices.Contains(names, alice) {
				t.Fatalf("after 200ms: want %s shown, have %q", alice, names)
			}
		}
		l.shows(r, time.Second, alice)
	})
}

// Missing permission is told as such, so that an Instancer asks again slowly.
func TestWatchDenied(t *testing.T) {
	inLab(t, home, func(l *lab) {
		l.FailNext(zkdev.OpGetChildren2, zkdev.NoAuth)
		b, _ := l.connected()
		if err := b.Watch(context.Background(), sd.Want{}, func(sd.Change) {}); !errors.Is(err, sd.ErrDenied) {
			t.Errorf("want %v, have %v", sd.ErrDenied, err)
		}
	})
}

func size(r interface{ Set() ([]string, bool) }) int {
	names, _ := r.Set()
	return len(names)
}

// slowly delays what a connection reads and writes.
type slowly struct {
	net.Conn
	read, write time.Duration
}

func (s slowly) Read(b []byte) (int, error) {
	<-time.After(s.read)
	return s.Conn.Read(b)
}

func (s slowly) Write(b []byte) (int, error) {
	<-time.After(s.write)
	return s.Conn.Write(b)
}

// A list between the two halves of a takeover, the claim and the replacement, is followed by no gap
// either.
func TestListBetweenClaimAndTakeover(t *testing.T) {
	inLab(t, home, func(l *lab) {
		l.Create(defaultPath+"/"+alice, documentOf(alice), 0x1234)
		open := func(read, write time.Duration) *Backend {
			b, err := OpenBackend(l.target, Dial(func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := l.Dial(ctx, network, address)
				return slowly{conn, read, write}, err
			}))
			if err != nil {
				t.Fatal(err)
			}
			l.conn(b, time.Second)
			return b
		}
		registrant, watcher := open(0, 150*time.Millisecond), open(time.Millisecond, 0)
		defer registrant.Close()
		defer watcher.Close()
		l.call(func(ctx context.Context) error {
			return registrant.Announce(ctx, sd.Entry{Instance: alice}, func(sd.Status) {})
		})
		l.eventually(2*time.Second, func() error { return atLeast("claims", 1, l.Requests(zkdev.OpSetData)) })
		_, r := l.watch(watcher)
		l.eventually(2*time.Second, func() error { return atLeast("takeovers", 1, l.Requests(zkdev.OpMulti)) })
		wait.Pass(time.Second)
		if n := r.Emits(); n != 1 {
			t.Errorf("emits: want the list alone, have %d", n)
		}
	})
}

// A directory may have any name that a target can say, also one that looks like a mark.
func TestDirectoryNamedLikeAMark(t *testing.T) {
	for _, mode := range []string{"persistent", "children"} {
		for _, mark := range []string{"/watch-once", "/watch-node0", "/watch-nodes1", "/%once", "/%node0", "/%tree1"} {
			t.Run(mode+strings.ReplaceAll(mark, "/", " "), func(t *testing.T) {
				inLab(t, home+"&watch="+mode, func(l *lab) {
					parent := mark + defaultPath
					l.target.Path = parent
					if _, err := parseConfig(l.target); err != nil {
						if strings.Contains(mark, "%") {
							return // sd.ParseTarget says no as well
						}
						t.Fatal(err)
					}
					l.Create(mark, nil, 0)
					l.Create(parent, nil, 0)
					b, _ := l.connected()
					c, r := l.watch(b)
					l.shows(r, time.Second)
					announced := l.announce(b, alice)
					l.Create(parent+"/"+bob, nil, 0)
					l.shows(r, time.Second, alice, bob)
					wait.Pass(time.Minute) // for an audit of each
					if err := errors.Join(c.ended(), announced.ended()); err != nil || b.Stats().Repaired != 0 {
						t.Errorf("want nothing lost and nothing repaired, have %v, %+v", err, b.Stats())
					}
				})
			})
		}
	}
}

// bitten replaces the length of one frame, once it is told to.
type bitten struct {
	net.Conn
	bite *atomic.Bool
}

func (c bitten) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n >= 4 && c.bite.CompareAndSwap(true, false) {
		copy(b, []byte{0, 0, 0, 1})
	}
	return n, err
}

// One bad frame costs a connection, and no more.
func TestOneBadFrame(t *testing.T) {
	inLab(t, "zk://a.example.com,b.example.com,c.example.com?session-timeout=4s", func(l *lab) {
		var bite atomic.Bool
		b, err := OpenBackend(l.target, Dial(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := l.Dial(ctx, network, address)
			return bitten{conn, &bite}, err
		}))
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		i := sd.NewInstancer(b, log.NewNopLogger())
		defer i.Stop()
		phase := func(want sd.Phase) func() error {
			return func() error {
				if s := i.State(); s.Phase != want {
					return errors.New(s.String())
				}
				return nil
			}
		}
		l.eventually(time.Second, phase(sd.Live))
		bite.Store(true)
		<-l.conn(b, 0).Down()
		l.eventually(time.Second, phase(sd.Stale))
		l.eventually(2*time.Second, phase(sd.Live))
	})
}
