package sd_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
)

// A news is one call of a follower.
type news struct {
	reset    bool
	up, down []string // sorted
}

// A follower notes its calls, and checks that every difference is exact. What it has noted may be
// read after synctest.Wait.
type follower struct {
	*sdtest.Recorder
	calls []news
	takes time.Duration // that fn runs
	stop  func()
}

// follow subscribes a follower. The end of the test stops it.
func follow(t *testing.T, i *sd.Instancer) *follower {
	f := &follower{Recorder: sdtest.NewRecorder()}
	f.stop = i.Follow(func(c sd.Change) {
		f.take(t, c)
		time.Sleep(f.takes)
	})
	t.Cleanup(func() {
		f.stop()
		if err := f.Err(); err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return f
}

func (f *follower) take(t *testing.T, c sd.Change) {
	if c.Reset != (f.calls == nil) {
		t.Errorf("call %d: want reset in the first one and in no other, have %v", len(f.calls)+1,
			c.Reset)
	}
	f.Emit(c)
	f.calls = append(f.calls, news{c.Reset, slices.Sorted(slices.Values(c.Up)),
		slices.Sorted(slices.Values(c.Down))})
}

// set is the set that follows from the calls, sorted.
func (f *follower) set() []string {
	names, _ := f.Set()
	return names
}

func TestFollowBeginsWithTheWholeSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		early := follow(t, i)
		same(t, "calls before the first answer", 0, len(early.calls))
		s.emit(reset(alice, bob))
		late := follow(t, i)
		want := []news{{true, []string{alice, bob}, nil}}
		same(t, "calls of an early follower", want, early.calls)
		same(t, "calls of a late one", want, late.calls)
	})
}

func TestFollowAnEmptySet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		s.emit(reset())
		same(t, "calls", []news{{true, nil, nil}}, follow(t, i).calls)
	})
}

func TestFollowGetsDifferences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		f := follow(t, i)
		s.emit(reset(alice))
		pass(time.Second)
		s.emit(sd.Change{Up: []string{bob, carol}, Down: []string{alice}})
		pass(time.Second)
		s.fail(errDown) // no news to a follower
		s.emit(reset(alice, bob))
		same(t, "calls", []news{
			{true, []string{alice}, nil},
			{false, []string{bob, carol}, []string{alice}},
			{false, []string{alice}, []string{carol}}, // the second Watch began with a Reset
		}, f.calls)
	})
}

func TestFollowMergesWhileBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		f := follow(t, i)
		f.takes = time.Minute
		s.emit(reset(alice, bob))
		s.emit(up(carol))
		s.emit(down(alice))
		s.emit(sd.Change{Up: []string{alice}, Down: []string{bob}}) // alice came back
		s.emit(up(instance(1)))
		s.emit(down(instance(1))) // came and went
		pass(time.Hour)
		same(t, "calls", []news{
			{true, []string{alice, bob}, nil},
			{false, []string{carol}, []string{bob}},
		}, f.calls)
	})
}

// What is undone before it could be told is not told at all.
func TestFollowCameAndWentIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		f := follow(t, i)
		s.emit(reset(alice))
		s.emit(up(bob))
		s.emit(down(bob))
		s.emit(down(alice))
		s.emit(up(alice))
		pass(time.Second)
		same(t, "calls", []news{{true, []string{alice}, nil}}, f.calls)
		s.emit(up(carol))
		same(t, "calls in all", 2, len(f.calls))
	})
}

// A follower is told who withdrew. What happens while it is busy is merged, and the last departure
// counts; a set that is read again does not say how anybody left.
func TestFollowTellsWhoWithdrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		var withdrew, lost []string
		stop := i.Follow(func(c sd.Change) {
			withdrew = append(withdrew, slices.Sorted(slices.Values(c.Withdrew))...)
			for _, name := range slices.Sorted(slices.Values(c.Down)) {
				if !slices.Contains(c.Withdrew, name) {
					lost = append(lost, name)
				}
			}
		})
		defer stop()
		left := func(names ...string) sd.Change { return sd.Change{Down: names, Withdrew: names} }
		s.emit(reset(alice, bob, carol, instance(1), instance(2)))
		s.emit(left(alice))
		s.emit(down(bob))
		s.emit(left(carol))
		s.emit(up(carol))
		s.emit(down(carol))
		pass(time.Second)
		same(t, "withdrew", []string{alice}, withdrew)
		same(t, "lost", []string{bob, carol}, lost)
		s.emit(sd.Change{Reset: true, Up: []string{instance(1)}})
		pass(time.Second)
		same(t, "withdrew after a Reset", []string{alice}, withdrew)
		same(t, "lost after a Reset", []string{bob, carol, instance(2)}, lost)
		s.emit(sd.Change{Down: []string{instance(1)}, Withdrew: []string{instance(1), bob}})
		pass(time.Second)
		same(t, "withdrew in the end", []string{alice, instance(1)}, withdrew)
	})
}

// Followers of every speed end on the right set, by exact differences alone.
func TestFollowUnderRandomChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		var followers []*follower
		for _, takes := range []time.Duration{0, time.Millisecond, 150 * time.Millisecond,
			3 * time.Second} {
			f := follow(t, i)
			f.takes = takes
			followers = append(followers, f)
		}
		want := map[string]bool{}
		s.emit(reset())
		for range 3000 {
			name := instance(rand.N(30))
			if want[name] {
				delete(want, name)
				s.emit(down(name))
			} else {
				want[name] = true
				s.emit(up(name))
			}
			pass(rand.N(50 * time.Millisecond))
		}
		pass(time.Minute)
		for _, f := range followers {
			same(t, "set of the one that takes "+f.takes.String(), slices.Sorted(maps.Keys(want)),
				f.set())
			t.Logf("%v: %d calls", f.takes, len(f.calls))
		}
	})
}

// A follower that hangs holds up neither the other ones nor go-kit's.
func TestStuckFollowerDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		stuck := follow(t, i)
		stuck.takes = time.Hour
		f, r := follow(t, i), read(t, i)
		s.emit(reset())
		for n := range 15 {
			pass(time.Second)
			s.emit(up(instance(n)))
			same(t, "members of a follower", n+1, len(f.set()))
			same(t, "instances of a reader", n+1, len(r.last()))
		}
	})
}

// Fn is not running when stop has returned, and does not run again.
func TestFollowStopIsABarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		f := follow(t, i)
		f.takes = time.Second
		s.emit(reset(alice)) // fn is running now
		s.emit(up(bob))      // and has something to do after it
		start := time.Now()
		f.stop()
		same(t, "stop took", time.Second, time.Since(start))
		f.stop()
		s.emit(up(carol))
		pass(time.Minute)
		same(t, "calls", 1, len(f.calls))
	})
}

// Stop waits for a follower also when that is being stopped by itself.
func TestStopBesideAFollowersStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		running := false
		stop := i.Follow(func(sd.Change) {
			running = true
			pass(time.Second)
			running = false
		})
		s.emit(reset(alice))
		go stop()
		synctest.Wait()
		i.Stop()
		if running {
			t.Error("a follower runs after Stop returned")
		}
	})
}
