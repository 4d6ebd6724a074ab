package lb

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// However many of the list are dead, calls go to those that live: at most the calls of the first
// second, in which the dead are found out, may fail.
func TestMostOfTheListIsDead(t *testing.T) {
	for _, c := range []struct{ dead, live int }{
		{3, 1}, {10, 1}, {20, 1}, {50, 1}, {100, 1}, {40, 10}, {60, 20}, {80, 40}, {300, 60},
	} {
		for _, name := range PickerNames() {
			if name != "random" && c.dead != 20 && c.dead != 60 {
				continue
			}
			t.Run(fmt.Sprintf("%d+%d/%s", c.dead, c.live, name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(c.dead + c.live)
					for i, name := range names(c.dead + c.live) {
						f[name].latency = time.Millisecond
						if i >= c.live {
							f[name].fail(errRefused)
						}
					}
					p, _ := start(f)
					defer p.Close()
					picker, _ := ParsePicker(name)
					call := keyed(Retry(p, picker))
					drive(t.Context(), call, 20, 50*time.Millisecond)
					before := f.calls()
					drive(t.Context(), call, 59*20, 50*time.Millisecond).wantNoFailure(t)
					attempts := int64(0)
					for _, n := range f.since(before) {
						attempts += n
					}
					// One call in four may begin with a probe; the first second finds out most of
					// the dead.
					if want := int64(59*20*5/4 + c.dead); attempts > want {
						t.Errorf("attempts: want at most %d for %d calls, have %d", want, 59*20, attempts)
					}
				})
			})
		}
	}
}

// Most of the list swallows what it is sent. An idempotent call meets one of these at most that is
// known to, and loses a share of its time there.
func TestMostOfTheListHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(12)
		for _, name := range names(12)[2:] {
			f[name].fail(errEndless)
		}
		p, _ := start(f)
		defer p.Close()
		call := Retry(p, NewRandom(), Idempotent())
		drive(t.Context(), call, 100, 50*time.Millisecond)
		l := drive(t.Context(), call, 1200, 50*time.Millisecond)
		l.wantNoFailure(t)
		if want, have := 2*time.Second/3, percentile(l.latencies, 100); have > want {
			t.Errorf("slowest call: want %v, have %v", want, have)
		}
		if have := percentile(l.latencies, 90); have > 0 {
			t.Errorf("nine of ten calls: want no wait, have %v", have)
		}
	})
}

// So is a list of which most swallow connections, or have never answered, when nobody knows yet.
func TestMostOfTheListIsFoundOutSoon(t *testing.T) {
	silence := dialError(context.DeadlineExceeded)
	for what, answered := range map[string]bool{"swallow connections": true, "never answered": false} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(50)
			p, _ := start(f)
			defer p.Close()
			for _, name := range names(50)[1:] {
				if answered {
					hit(t, p, name, 1)
				}
				f[name].fail(errEndless)
				if answered {
					p.members[name].serve = func(ctx context.Context, _ any) (any, error) {
						<-ctx.Done()
						return nil, silence
					}
				}
			}
			time.Sleep(time.Minute)
			call := Retry(p, NewRandom(), Idempotent())
			// Before anybody has answered silence accuses nobody, and a call asks three of fifty: of 100
			// calls one in 500 times none meets the one that answers, of 2,000 never.
			const round, rounds = 20, 100
			for range rounds {
				if len(drive(t.Context(), call, round, 50*time.Millisecond).errs) < round {
					break
				}
			}
			drive(t.Context(), call, 100, 50*time.Millisecond)
			l := drive(t.Context(), call, 400, 50*time.Millisecond)
			if len(l.errs) > 0 {
				t.Errorf("%s: want no failed call 5 s after the first answer, have %d: %v", what,
					len(l.errs), l.errs[0])
			}
		})
	}
}

// After an outage of all, the first to answer does not bear all calls until the others' times are
// over.
func TestTheFirstToReturnIsNotLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(20)
		for _, s := range f {
			s.fail(errRefused)
		}
		p, _ := start(f)
		defer p.Close()
		call := Retry(p, NewRandom(), Timeout(100*time.Millisecond))
		drive(t.Context(), call, 1200, 50*time.Millisecond)
		for _, s := range f {
			s.fail(nil)
		}
		drive(t.Context(), call, 200, 10*time.Millisecond).wantNoFailure(t)
		if want, have := 20, p.snapshot.Load().Len(); want != have {
			t.Errorf("open 2 s after all have returned: want %d, have %d", want, have)
		}
	})
}

// Nor do those come late on which a call still runs when the first answers, and whose own time apart
// is a long one.
func TestCallsInFlightPutOffNoProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(2)
		p, _ := start(f, Ejection(time.Second, time.Hour))
		defer p.Close()
		first, late := names(2)[0], p.members[names(2)[1]]
		f[first].fail(errRefused)
		hit(t, p, first, 1)
		late.ejections = 10 // the next one is of a quarter of an hour or more
		f[late.instance].fail(errRefused)
		hit(t, p, late.instance, 1)
		f[late.instance].fail(nil)
		f[late.instance].latency = time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		go p.endpoint(late)(ctx, 1)
		synctest.Wait()
		f[first].fail(nil)
		hit(t, p, first, 1)
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if late.health != due {
			t.Errorf("1.1 s after the first answered: want it due for a probe, have health %d", late.health)
		}
	})
}

// Instances that withdrew get no call any more, however many; those that are lost stay in reserve.
func TestWithdrawnInstancesAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(5)
		p, r := start(f)
		defer p.Close()
		leavers := names(5)[:3]
		f[leavers[0]].latency = time.Second
		pending := make(chan error)
		go func() {
			_, err := p.endpoint(p.members[leavers[0]])(context.Background(), 1)
			pending <- err
		}()
		synctest.Wait()
		r.withdraw(leavers...)
		synctest.Wait()
		before := f.calls()
		drive(t.Context(), Retry(p, NewRandom()), 1000, 40*time.Millisecond).wantNoFailure(t)
		if have := f.since(before); len(have) != 2 {
			t.Errorf("want calls to the two that stay, have %v", have)
		}
		if err := <-pending; err != nil {
			t.Errorf("the call in flight: %v", err)
		}
		for _, name := range leavers {
			if have := f[name].closed.Load(); have != 1 {
				t.Errorf("%s: want it closed, have %d", name, have)
			}
		}
		r.fn(change(nil, names(5)[3:4], nil)) // one of two lost: the reserve does not open for it
		r.fn(change(leavers, nil, nil))
		wantListed(t, p, append(leavers, names(5)[4])...)
	})
}

// Who has a Balancer alone, and no Retry, meets no member that is known to refuse.
func TestBalancerPrefersThoseThatAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(101)
		for _, name := range names(101)[1:] {
			f[name].fail(errRefused)
		}
		p, _ := start(f)
		defer p.Close()
		endpoint, err := p.Balancer(NewRandom()).Endpoint()
		if err != nil {
			t.Fatal(err)
		}
		drive(t.Context(), endpoint, 10_000, 50*time.Millisecond)
		before := f.calls()
		drive(t.Context(), endpoint, 1200, 50*time.Millisecond).wantNoFailure(t)
		if len(f.since(before)) < 2 {
			t.Error("want probes, have none")
		}
	})
}

// Most of the list hangs. Calls that must not be made twice are lost with the probes, which are
// rare for that reason.
func TestFewCallsAreLostWithProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(360)
		for _, name := range names(360)[60:] {
			f[name].fail(errEndless)
		}
		p, _ := start(f)
		defer p.Close()
		call := Retry(p, NewRandom())
		drive(t.Context(), call, 2000, 50*time.Millisecond)
		l := drive(t.Context(), call, 2000, 50*time.Millisecond)
		if have, most := len(l.errs), 200; have > most {
			t.Errorf("want %d of 2000 calls lost at most, have %d", most, have)
		}
	})
}
