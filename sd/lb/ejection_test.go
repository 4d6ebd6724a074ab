package lb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// hit makes n calls on instance alone, as picks would that land there.
func hit(t *testing.T, p *Pool, instance string, n int) {
	t.Helper()
	for range n {
		p.mu.Lock()
		m := p.members[instance]
		p.mu.Unlock()
		if m == nil || !m.begin() {
			t.Fatalf("%s is not in the pool", instance)
		}
		p.invoke(t.Context(), attempt{member: m, route: &p.route}, 1)
	}
}

func TestWhatEjects(t *testing.T) {
	own := errors.New("no such user")
	for _, test := range []struct {
		err    error
		ejects int // after how many in a row; 0: never
	}{
		{errRefused, 1},
		{errReset, 3},
		{context.DeadlineExceeded, 3},
		{os.ErrDeadlineExceeded, 3},
		{io.EOF, 3},
		{fmt.Errorf("half a line: %w", io.ErrUnexpectedEOF), 3},
		{syscall.EHOSTUNREACH, 3},
		{syscall.EMFILE, 0},
		{own, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(4)
			p, _ := start(f)
			defer p.Close()
			victim := names(4)[0]
			f[victim].fail(test.err)
			time.Sleep(time.Millisecond)
			hit(t, p, names(4)[1], 1) // silence counts where another one answers
			for n := 1; n <= 10; n++ {
				hit(t, p, victim, 1)
				want := "listed"
				if test.ejects > 0 && n >= test.ejects {
					want = "ejected"
				}
				if have := stat(p, victim).State; want != have {
					t.Fatalf("%v, %d times: want %s, have %s", test.err, n, want, have)
				}
			}
			if have := stat(p, victim).Ejections; test.ejects > 0 && have != 1 {
				t.Errorf("%v: want 1 ejection, have %d", test.err, have)
			}
		})
	}
}

// A member to which no route leads is set aside once another one has answered: also by calls without
// a Retry, which a least loaded picker would send there one after the other.
func TestUnroutableMemberIsSetAside(t *testing.T) {
	for _, failure := range []error{
		dialError(syscall.ENETUNREACH), dialError(syscall.EADDRNOTAVAIL), dialError(syscall.EACCES),
		dialError(&net.DNSError{Err: "no such host", IsNotFound: true}),
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(3)
			for _, s := range f {
				s.latency = 20 * time.Millisecond
			}
			p, _ := start(f)
			defer p.Close()
			victim := names(3)[0]
			f[victim].fail(failure)
			l := drive(t.Context(), p.picking(NewLeastLoaded()), 500, 5*time.Millisecond)
			if len(l.errs) > 20 {
				t.Errorf("%v: want some calls that fail, have %d of 500", failure, len(l.errs))
			}
			if s := stat(p, victim); s.State != "ejected" || s.Cause != "unreachable" {
				t.Errorf("%v: want it ejected as unreachable, have %s, %q", failure, s.State, s.Cause)
			}
		})
	}
}

// Ports that this side has used up say nothing about a member that has answered, whoever else answers
// meanwhile.
func TestWantOfPortsAccusesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(3)
		p, _ := start(f)
		defer p.Close()
		call := Retry(p, NewRandom())
		drive(t.Context(), call, 100, time.Millisecond).wantNoFailure(t)
		victim := names(3)[0]
		f[victim].fail(dialError(syscall.EADDRNOTAVAIL))
		drive(t.Context(), call, 100, time.Millisecond).wantNoFailure(t)
		if s := stat(p, victim); s.Failing || s.Ejections > 0 {
			t.Errorf("want it not accused, have %+v", s)
		}
	})
}

// While this side has no network nobody answers, and nobody is set aside for that: not those in the
// list, nor those in reserve.
func TestOutageOfThisSideAccusesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		p, r := start(f)
		defer p.Close()
		call := Retry(p, NewRandom())
		drive(t.Context(), call, 100, time.Millisecond).wantNoFailure(t)
		r.down(names(4)[0])
		for range 2 {
			for _, s := range f {
				s.fail(dialError(syscall.ENETUNREACH))
			}
			drive(t.Context(), call, 100, 10*time.Millisecond)
			for _, s := range p.Stats() {
				if s.Ejections > 0 || s.Failing || s.State == "gone" {
					t.Errorf("want nobody set aside, have %+v", s)
				}
			}
			for _, s := range f {
				s.fail(nil)
			}
			drive(t.Context(), call, 100, time.Millisecond).wantNoFailure(t)
		}
	})
}

func TestSuccessBetweenFailuresPreventsEjection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		p, _ := start(f)
		defer p.Close()
		victim := names(4)[0]
		for range 10 {
			f[victim].fail(errReset)
			hit(t, p, victim, 2)
			f[victim].fail(nil)
			hit(t, p, victim, 1)
		}
		want := Stat{Instance: victim, State: "listed", Requests: 30, Failures: 20,
			SetAside: 10}
		if have := stat(p, victim); want != have {
			t.Errorf("want %+v, have %+v", want, have)
		}
	})
}

func TestEjectedGetsNothingThenOneProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		p, _ := start(f, Ejection(time.Second, 30*time.Second))
		defer p.Close()
		victim := names(4)[0]
		f[victim].fail(errRefused)
		hit(t, p, victim, 1)
		call := Retry(p, NewRoundRobin())
		before := f.calls()
		ask(t, call, 100)
		if have := f.since(before)[victim]; have != 0 {
			t.Errorf("while set aside: want no call, have %d", have)
		}
		time.Sleep(time.Second)
		f[victim].fail(errEndless) // so that the probe stays in flight
		before = f.calls()
		drive(t.Context(), call, 100, time.Millisecond)
		if want, have := int64(1), f.since(before)[victim]; want != have {
			t.Errorf("half-open: want %d probe, have %d", want, have)
		}
	})
}

func TestTimeApartDoubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		victim := names(4)[0]
		var probed moments
		p, _ := start(f)
		defer p.Close()
		m := p.members[victim]
		m.serve = func(context.Context, any) (any, error) {
			probed.note()
			return nil, errRefused
		}
		drive(t.Context(), Retry(p, NewRoundRobin()), 2000, 100*time.Millisecond)
		gaps := probed.gaps()
		if len(gaps) < 7 {
			t.Fatalf("want at least 7 probes in 200 s, have %d", len(gaps))
		}
		for i, gap := range gaps {
			longest := min(time.Second<<i, 30*time.Second) + 500*time.Millisecond // until a pick lands on it
			if shortest := min(time.Second<<i, 30*time.Second) * 3 / 4; gap < shortest || gap > longest {
				t.Errorf("probe %d: want after %v to %v, have %v", i, shortest, longest, gap)
			}
		}
	})
}

// However many fail, the others get the calls; when all do, all are open.
func TestFailingMembersAreSetAsideWhateverTheirNumber(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 10} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(n)
			p, _ := start(f)
			defer p.Close()
			for i, name := range names(n) {
				if have := p.snapshot.Load().Len(); have != n-i {
					t.Errorf("%d of %d fail: want %d open, have %d", i, n, n-i, have)
				}
				f[name].fail(errRefused)
				hit(t, p, name, 1)
			}
			if have := p.snapshot.Load().Len(); n != have {
				t.Errorf("all %d fail: want all open, have %d", n, have)
			}
		})
	}
}

// Half of the list is set aside; then the others leave. Somebody might still answer.
func TestTheLastOnesAreNotKeptAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		p, r := start(f, Reserve(0))
		defer p.Close()
		for _, name := range names(4)[:2] {
			f[name].fail(errRefused)
			hit(t, p, name, 1)
			f[name].fail(nil)
		}
		r.down(names(4)[2:]...)
		synctest.Wait()
		ask(t, Retry(p, NewRandom(), Attempts(1)), 10)
	})
}

// A member set aside is tried in the call that has found all others failing.
func TestEjectedIsTheLastResort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(3)
		p, _ := start(f)
		defer p.Close()
		victim := names(3)[0]
		f[victim].fail(errRefused)
		hit(t, p, victim, 1)
		f[victim].fail(nil)
		for _, name := range names(3)[1:] {
			f[name].fail(errors.New("the request's own")) // not ejected for this
		}
		before := f.calls()
		elsewhere := Classify(func(int, error) Verdict { return Elsewhere })
		ask(t, Retry(p, NewRoundRobin(), elsewhere), 1)
		for name, n := range f.since(before) {
			if n != 1 {
				t.Errorf("%s: want one attempt, have %d", name, n)
			}
		}
		if want, have := "listed", stat(p, victim).State; want != have {
			t.Errorf("after its success: want %s, have %s", want, have)
		}
	})
}

func TestLeavingWhileSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(4)
		p, r := start(f, Reserve(100*time.Millisecond))
		defer p.Close()
		victim := names(4)[0]
		f[victim].fail(errRefused)
		hit(t, p, victim, 1)
		r.down(victim)
		synctest.Wait()
		if want, have := "reserve", stat(p, victim).State; want != have {
			t.Errorf("want %s, have %s", want, have)
		}
		time.Sleep(time.Minute) // past the end of its reserve, and of its time apart
		wantListed(t, p, names(4)[1:]...)
		if want, have := int64(1), f[victim].closed.Load(); want != have {
			t.Errorf("closed: want %d, have %d", want, have)
		}
	})
}

func TestFailureAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, listed := range []bool{true, false} {
			f := newFleet(2)
			for _, s := range f {
				s.fail(errEndless)
			}
			p, r := start(f)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			call := p.picking(NewRoundRobin())
			for range 4 {
				go call(ctx, 1)
			}
			synctest.Wait()
			if !listed {
				r.reset()
				synctest.Wait()
			}
			p.Close()
			if have := len(p.Stats()); have != 2 {
				t.Errorf("want 2 instances remembered, have %d", have)
			}
		}
	})
}

// In any order of events each member is in the partition that it belongs to.
func TestEveryMemberIsInItsPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(5)
		p, r := start(f, Reserve(time.Second), Ejection(time.Second, time.Second))
		defer p.Close()
		errs := []error{nil, errRefused, errors.New("own"), errReset}
		for i := range 500 {
			name := names(5)[i*7%5]
			f[name].fail(errs[i*5%4])
			if i%11 == 0 {
				r.down(name)
			} else {
				r.up(name)
			}
			time.Sleep(300 * time.Millisecond)
			synctest.Wait()
			Retry(p, NewRoundRobin(), Attempts(2))(t.Context(), i)
			listedMembers := 0
			for _, m := range p.members {
				if m.presence == listed {
					listedMembers++
				}
				if m.rank() != m.home() || m.partition != nil && m.partition.chunks.at(int(m.position)) != m {
					t.Fatalf("step %d: %s is not where it belongs: %+v", i, m.instance, m)
				}
			}
			if have := p.listed; listedMembers != have {
				t.Fatalf("step %d: listed: want %d, have %d", i, listedMembers, have)
			}
		}
	})
}
