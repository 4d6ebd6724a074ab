package session

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/session/internal/wire"
	"example.com/daytime/sd/zk/zkdev"
)

// An ability that a server lacks is remembered by its name. One that it had is not doubted.
func TestMissingAbilities(t *testing.T) {
	s, err := New(Config{Hosts: one})
	if err != nil {
		t.Fatal(err)
	}
	if s.isMissing("a:1", wire.OpAddWatch) || !s.noteMissing("a:1", wire.OpAddWatch, certain) || !s.isMissing("a:1", wire.OpAddWatch) {
		t.Error("certain: want it missing from then on")
	}
	if s.isMissing("b:1", wire.OpAddWatch) || s.isMissing("a:1", wire.OpMultiRead) {
		t.Error("want another server and another ability there")
	}
	if s.noteMissing("b:1", wire.OpMultiRead, suspicion) || !s.noteMissing("b:1", wire.OpMultiRead, suspicion) {
		t.Error("two suspicions: want it missing after the second")
	}
	s.clearMissing("c:1", wire.OpMultiRead)
	for range certain - proved - 1 {
		if s.noteMissing("c:1", wire.OpMultiRead, suspicion) {
			t.Error("proved: want it there")
		}
	}
	if !s.noteMissing("c:1", wire.OpMultiRead, certain) {
		t.Error("proved, and denied since: want it missing")
	}
}

// What is remembered of servers is bounded, whatever it is: they may move for ever. It is not
// forgotten for the sake of one that is known.
func TestAbilitiesAreBounded(t *testing.T) {
	s, err := New(Config{Hosts: one})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 * maxAbilities {
		s.clearMissing(fmt.Sprint(n), wire.OpAddWatch)
	}
	if n := len(s.missing); n != maxAbilities {
		t.Fatalf("remembered: want %d, have %d", maxAbilities, n)
	}
	s.noteMissing(fmt.Sprint(3*maxAbilities-1), wire.OpAddWatch, suspicion)
	if n := len(s.missing); n != maxAbilities {
		t.Errorf("another sign of the same: want %d still, have %d", maxAbilities, n)
	}
}

// An opcode that is not known ends the connection and is learned from.
func TestOldServerIsLearned(t *testing.T) {
	inLab(t, one, func(l *lab) {
		l.LimitOps(21) // before addWatch and multiRead
		s, c := l.connected()
		if err := c.AddWatch(directory, Tree); !errors.Is(err, ErrNoAddWatch) || !strings.Contains(err.Error(), c.Server) {
			t.Errorf("addWatch: want %v of %s, have %v", ErrNoAddWatch, c.Server, err)
		}
		c = l.conn(s, 3*time.Second)
		if c.CanAddWatch() {
			t.Error("CanAddWatch: want false on the next Conn")
		}
		if _, err := c.MultiRead([]string{directory}); !errors.Is(err, ErrNoMultiRead) {
			t.Errorf("multiRead: want %v, have %v", ErrNoMultiRead, err)
		}
		c = l.conn(s, 3*time.Second)
		if _, err := c.MultiRead([]string{directory}); !errors.Is(err, ErrNoMultiRead) || c.Err() != nil {
			t.Errorf("multiRead again: want %v without a request, have %v, %v", ErrNoMultiRead, err, c.Err())
		}
	})
}

// ops are the operations that a server may lack.
var ops = map[zkdev.Op]struct {
	request func(*Conn) error
	lacks   error
}{
	zkdev.OpAddWatch:  {func(c *Conn) error { return c.AddWatch(directory, Tree) }, ErrNoAddWatch},
	zkdev.OpMultiRead: {func(c *Conn) error { _, err := c.MultiRead([]string{directory}); return err }, ErrNoMultiRead},
}

// Whatever a server answers to an operation, or that it closes the connection, or never answers:
// twice that while all else is well is a server that lacks it.
func TestRefusedOperation(t *testing.T) {
	for op, c := range ops {
		refusals := map[string]func(l *lab){
			"closes":  func(l *lab) { l.CloseOn(op) },
			"old":     func(l *lab) { l.LackOps(op) },
			"ignores": func(l *lab) { l.net.drop(uint32(op)) },
		}
		for _, code := range []zkdev.Code{-1, -2, -3, -5, -6, -8, -9, -100, -102, -114, -120, -121, -126, -1000, 7} {
			refusals[fmt.Sprint(code)] = func(l *lab) { l.FailAll(op, code) }
		}
		for name, refuse := range refusals {
			for _, before := range []bool{false, true} { // whether it knew the operation before
				t.Run(fmt.Sprintf("%v, %s, %t", op, name, before), func(t *testing.T) {
					inLab(t, one, func(l *lab) {
						s, conn := l.connected()
						if err := c.request(conn); before && err != nil {
							t.Fatal(err)
						} else if !before {
							clear(s.missing)
						}
						refuse(l)
						l.Disconnect()
						wait.Pass(time.Millisecond)
						err := l.until(s, c.lacks, c.request)
						if !strings.Contains(err.Error(), conn.Server) {
							t.Errorf("want an error that names %s, have %v", conn.Server, err)
						}
						after := l.conn(s, 10*time.Second)
						if can := after.CanAddWatch(); can != (op != zkdev.OpAddWatch) {
							t.Errorf("CanAddWatch: have %t", can)
						}
					})
				})
			}
		}
	}
}

// until makes a request, on one Conn after the other, until its error matches want.
func (l *lab) until(s *Session, want error, request func(*Conn) error) (err error) {
	l.t.Helper()
	for range 4 {
		if err = request(l.conn(s, 10*time.Second)); errors.Is(err, want) {
			return err
		}
		wait.Pass(time.Second)
	}
	l.t.Fatalf("want %v, have %v", want, err)
	return nil
}

// Nothing is concluded from a request that fails while other things are wrong too.
func TestOtherThingsAreWrong(t *testing.T) {
	for op, c := range ops {
		for name, f := range map[string]struct {
			does func(l *lab)
			ends func(l *lab)
		}{
			"all is denied": {
				func(l *lab) { l.FailAll(op, zkdev.NoAuth); l.FailAll(zkdev.OpGetData, zkdev.NoAuth) },
				func(l *lab) { l.FailAll(op, zkdev.OK); l.FailAll(zkdev.OpGetData, zkdev.OK) },
			},
			"overloaded":  {func(l *lab) { l.FailAll(op, -127) }, func(l *lab) { l.FailAll(op, zkdev.OK) }},
			"cuts":        {func(l *lab) { l.CloseOn(op, zkdev.OpGetData) }, func(l *lab) { l.CloseOn() }},
			"pings only":  {func(l *lab) { l.PingsOnly(true) }, func(l *lab) { l.PingsOnly(false) }},
			"one cut":     {func(l *lab) { l.CutAfterReading(20) }, func(l *lab) {}},
			"one refusal": {func(l *lab) { l.FailNext(op, -5) }, func(l *lab) {}},
		} {
			t.Run(fmt.Sprint(op, name), func(t *testing.T) {
				inLab(t, one, func(l *lab) {
					s, _ := l.connected()
					f.does(l)
					for range 4 {
						var asking sync.WaitGroup
						for range 3 { // one cut is one sign, whatever was under way
							asking.Go(func() {
								if conn, _ := s.Conn(); conn != nil {
									c.request(conn)
								}
							})
						}
						asking.Wait()
						wait.Pass(time.Second)
						l.conn(s, 10*time.Second)
					}
					f.ends(l)
					wait.Pass(10 * time.Second)
					if err := c.request(l.conn(s, 10*time.Second)); err != nil {
						t.Errorf("afterwards: want no error, have %v", err)
					}
				})
			})
		}
	}
}

// drop makes requests with that opcode disappear.
func (n *network) drop(opcode uint32) {
	n.fail(func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := n.dial(ctx, "tcp", address)
		return dropping{conn, opcode}, err
	})
}

type dropping struct {
	net.Conn
	opcode uint32
}

func (d dropping) Write(b []byte) (int, error) {
	if len(b) >= 12 && binary.BigEndian.Uint32(b[8:]) == d.opcode {
		return len(b), nil
	}
	return d.Conn.Write(b)
}
