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
	"testing/synctest"
	"time"

	"example.com/daytime/sd/zk/zkdev"
)

func newHosts(names ...string) *hosts {
	h := &hosts{}
	h.Init(names)
	return h
}

// The library is told to start over after each full round, and not before.
func TestHostsRounds(t *testing.T) {
	for n := 1; n <= 5; n++ {
		h := newHosts([]string{"a", "b", "c", "d", "e"}[:n]...)
		for _, connected := range []bool{false, true} {
			if connected {
				h.Connected()
			}
			var seen []string
			for try := range 3 * n {
				name, retryStart := h.Next()
				if want := try > 0 && try%n == 0; retryStart != want {
					t.Errorf("%d hosts, try %d: want retryStart %t, have %t", n, try+1, want, retryStart)
				}
				if want := try / n; h.rounds() != want {
					t.Errorf("%d hosts, try %d: want %d rounds, have %d", n, try+1, want, h.rounds())
				}
				seen = append(seen, name)
			}
			for round := range slices.Chunk(seen, n) {
				if slices.Sort(round); len(slices.Compact(round)) != n {
					t.Errorf("%d hosts: want each once in a round, have %q", n, seen)
				}
			}
		}
	}
}

// Clients do not all begin with the same host.
func TestHostsBeginAnywhere(t *testing.T) {
	begun := map[string]int{}
	for range 300 {
		name, _ := newHosts("a", "b", "c").Next()
		begun[name]++
	}
	for _, name := range []string{"a", "b", "c"} {
		if begun[name] < 50 {
			t.Errorf("%s: want about 100 of 300 to begin there, have %d", name, begun[name])
		}
	}
}

// Closed hosts make the library look whether it was closed.
func TestHostsClosed(t *testing.T) {
	h := newHosts("a", "b")
	h.close()
	if _, retryStart := h.Next(); !retryStart {
		t.Error("retryStart: want true, have false")
	}
}

func TestHandshakeTimeout(t *testing.T) {
	for _, c := range []struct {
		hosts   int
		session time.Duration
		tried   int
		want    time.Duration
	}{
		{1, 3 * time.Second, 1, time.Second},
		{3, 9 * time.Second, 1, time.Second},
		{3, 9 * time.Second, 3, time.Second},
		{3, 9 * time.Second, 4, 2 * time.Second},  // one round in vain
		{3, 9 * time.Second, 7, 4 * time.Second},  // two
		{3, 9 * time.Second, 13, 9 * time.Second}, // never more than a session timeout
		{3, 9 * time.Second, 1 << 30, 9 * time.Second},
		{1, time.Minute, 1, mostConnect},
		{5, time.Second, 1, leastConnect},
		{1, time.Millisecond, 1000, leastConnect}, // a server may grant anything
	} {
		h := newHosts(slices.Repeat([]string{"a"}, c.hosts)...)
		h.tried = c.tried
		if have := h.handshakeTimeout(c.session); have != c.want {
			t.Errorf("%+v: have %v", c, have)
		}
	}
}

// All hosts at once, and then two dials a second in the long run, not in step
// with others.
func TestPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst = 4 // three hosts, and one more
		var gaps []time.Duration
		p, start := newPacer(3), time.Now()
		for n := range 200 {
			before := time.Now()
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			gap := time.Since(before)
			if n < burst && gap != 0 {
				t.Errorf("dial %d: want it at once, have it after %v", n+1, gap)
			}
			gaps = append(gaps, gap)
			// no window of any length has more than its burst and two a second
			if most := burst + time.Since(start).Seconds()*dialsASecond; float64(n+1) > most+1e-6 {
				t.Errorf("dials in %v: want %.1f at most, have %d", time.Since(start), most, n+1)
			}
		}
		if took := time.Since(start); took > 130*time.Second {
			t.Errorf("200 dials took %v, want 100s to 130s", took)
		}
		slices.Sort(gaps)
		if spread := len(slices.Compact(gaps[burst:])); spread < 50 {
			t.Errorf("gaps: want jitter, have %d different ones", spread)
		}
		time.Sleep(time.Hour) // saves up no more than the burst
		for range burst {
			p.take()
		}
		if p.take() == 0 {
			t.Error("after an hour: want a burst of 4, have more")
		}
	})
}

// Nobody waits for a pacer after the end.
func TestPacerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(1)
		for range 100 {
			p.take()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := p.wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("want %v after 1s, have %v after %v", context.DeadlineExceeded, err, time.Since(start))
		}
	})
}

// Two clients of one keeper share the pacer: together they dial no more often.
func TestPacerIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(3)
		var dials atomic.Int64
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range 2 {
			go func() {
				for p.wait(ctx) == nil {
					dials.Add(1)
				}
			}()
		}
		<-ctx.Done()
		synctest.Wait()
		if n := dials.Load(); n > 4+120 || n < 80 {
			t.Errorf("dials in a minute: want 80 to 124, have %d", n)
		}
	})
}

const three = "zk://a.example.com,b.example.com,c.example.com?session-timeout=4s"

// faulty makes dials to the given hosts end in a fault.
func (l *lab) faulty(fault func(ctx context.Context) (net.Conn, error), names ...string) {
	l.net.fail(func(ctx context.Context, address string) (net.Conn, error) {
		for _, name := range names {
			if strings.HasPrefix(address, name+".") {
				return fault(ctx)
			}
		}
		return nil, nil
	})
}

func hung(context.Context) (net.Conn, error)     { return mute(), nil }
func refusing(context.Context) (net.Conn, error) { return nil, errTest }
func lost(ctx context.Context) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
func unresolved(context.Context) (net.Conn, error) {
	return nil, &net.DNSError{Err: "no such host", Name: "a.example.com", IsNotFound: true}
}
func closedAtOnce(context.Context) (net.Conn, error) { c := mute(); c.Close(); return c, nil }

var hostFaults = map[string]func(ctx context.Context) (net.Conn, error){
	"hung": hung, "refusing": refusing, "lost": lost, "unresolved": unresolved, "closed at once": closedAtOnce,
}

// One bad host of three delays the start, and does not prevent it; whichever
// comes first.
func TestBadHostAtStart(t *testing.T) {
	for name, fault := range hostFaults {
		t.Run(name, func(t *testing.T) {
			for range 5 { // to begin with another host each time
				inLab(t, three, func(l *lab) {
					l.faulty(fault, "a")
					l.session(l.open(), 1500*time.Millisecond)
				})
			}
		})
	}
}

// One bad host of three as the target of a failover costs no session.
func TestBadHostAtFailover(t *testing.T) {
	for name, fault := range hostFaults {
		t.Run(name, func(t *testing.T) {
			for range 5 {
				inLab(t, three, func(l *lab) {
					b, before := l.connected()
					names := b.keeper.current.hosts.names
					next := names[(slices.Index(names, before.server)+1)%len(names)][:1]
					l.faulty(fault, next)
					l.Disconnect()
					l.pass(time.Millisecond)
					after := l.session(b, 2*time.Second)
					if after.session != before.session {
						t.Errorf("session: want 0x%x again, have 0x%x", before.session, after.session)
					}
					if strings.HasPrefix(after.server, next) {
						t.Errorf("server: want another than %s, have %s", next, after.server)
					}
				})
			}
		})
	}
}

// All hosts bad: the error says why, and the end of it is noticed.
func TestAllHostsBad(t *testing.T) {
	for name, fault := range hostFaults {
		t.Run(name, func(t *testing.T) {
			inLab(t, three, func(l *lab) {
				l.faulty(fault, "a", "b", "c")
				b := l.open()
				l.pass(30 * time.Second)
				if err := b.keeper.noSession(); !strings.Contains(err.Error(), "no session: ") || strings.Contains(err.Error(), "no answer yet") {
					t.Errorf("error: want the cause, have %v", err)
				}
				if n := b.Stats().Dials; n > 64 {
					t.Errorf("dials in 30s: want 64 at most, have %d", n)
				}
				l.net.fail(nil)
				l.session(b, 6*time.Second)
			})
		})
	}
}

// Names reach the dialer as they stand in the target, at every dial: what they
// resolve to may change.
func TestNamesAreResolvedAtEachDial(t *testing.T) {
	inLab(t, three, func(l *lab) {
		b, _ := l.connected()
		for range 20 {
			l.Disconnect()
			l.pass(time.Second)
			l.session(b, time.Second)
		}
		seen := map[string]bool{}
		for _, address := range l.net.dialled() {
			seen[address] = true
		}
		want := map[string]bool{"a.example.com:2181": true, "b.example.com:2181": true, "c.example.com:2181": true}
		if fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Errorf("dialled: want %v, have %v", want, seen)
		}
	})
}

// Every connection is closed by the time of the next dial, also after an expiry,
// where go-zookeeper leaves it open.
func TestConnectionsAreClosed(t *testing.T) {
	inLab(t, home, func(l *lab) {
		b, _ := l.connected()
		for n := range 20 {
			if n%2 == 0 {
				l.Expire()
			} else {
				l.Disconnect()
			}
			l.pass(time.Second)
			l.session(b, 3*time.Second)
		}
		if now, most := l.net.opened(); now != 1 || most != 1 {
			t.Errorf("connections: want 1 at any time, have %d, and %d at most", now, most)
		}
		b.Close()
		if now, _ := l.net.opened(); now != 0 {
			t.Errorf("connections after Close: want none, have %d", now)
		}
	})
}

// What a link needs does not come in the way of an error from long ago.
func TestFailureIsForgotten(t *testing.T) {
	inLab(t, home, func(l *lab) {
		l.faulty(refusing, "zookeeper")
		b := l.open()
		l.pass(5 * time.Second)
		if err := b.keeper.noSession(); !errors.Is(err, errTest) {
			t.Errorf("before: want %v, have %v", errTest, err)
		}
		l.net.fail(nil)
		l.session(b, 5*time.Second)
		l.faulty(hung, "zookeeper")
		l.Disconnect()
		l.pass(time.Second)
		if err := b.keeper.noSession(); errors.Is(err, errTest) {
			t.Errorf("after a session in between: have %v", err)
		}
	})
}

// Servers that grant a session and cut the connection are not hammered.
func TestDialsAfterCuts(t *testing.T) {
	inLab(t, three, func(l *lab) {
		b, _ := l.connected()
		for range 1000 {
			l.pass(10 * time.Millisecond)
			l.Disconnect()
		}
		if n := b.Stats().Dials; n > 4+20 {
			t.Errorf("dials in 10s: want 24 at most, have %d", n)
		}
		if n := l.Requests(zkdev.OpConnect); n < 10 {
			t.Errorf("handshakes in 10s: want 10 at least, have %d", n)
		}
	})
}
