package sd_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	kitsd "github.com/go-kit/kit/sd"
)

func TestLateSubscriberGetsTheLastSetAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		s.emit(reset(alice))
		s.fail(errDown) // also while the registry is down
		start := time.Now()
		r := read(t, i)
		same(t, "sets", [][]string{{alice}}, r.sets)
		same(t, "after", 0, r.at[0].Sub(start))
	})
}

// Fifty subscribers, one of which does not read: with go-kit's cache the others get nothing any
// more (go-kit/kit#626). Here every reader gets each change the moment it happens.
func TestStuckSubscriberDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		stuck := make(chan kitsd.Event)
		i.Register(stuck)
		defer i.Deregister(stuck)
		var readers []*reader
		for range 49 {
			readers = append(readers, read(t, i))
		}
		s.emit(reset())
		for n := range 15 {
			pass(time.Second)
			start := time.Now()
			s.emit(up(instance(n)))
			for k, r := range readers {
				if len(r.sets) != n+2 || len(r.last()) != n+1 || r.at[n+1] != start {
					t.Fatalf("change %d, reader %d: want %d instances at once, have %d after %v",
						n+1, k+1, n+1, len(r.last()), r.at[len(r.at)-1].Sub(start))
				}
			}
		}
	})
}

// A slow subscriber finds the newest set, and not those in between.
func TestLatestSetWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		ch := make(chan kitsd.Event)
		i.Register(ch)
		defer i.Deregister(ch)
		s.emit(reset())
		for n := range 10 {
			pass(time.Second)
			s.emit(up(instance(n)))
		}
		pass(time.Second)
		same(t, "instances in the first event", 10, len((<-ch).Instances))
		pass(time.Minute)
		select {
		case e := <-ch:
			t.Errorf("second event: want none, have %v", e)
		default:
		}
	})
}

// An offer that nobody took is replaced by one of the newest set.
func TestOfferIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		ch := make(chan kitsd.Event)
		i.Register(ch)
		defer i.Deregister(ch)
		s.emit(reset())
		pass(time.Second)
		s.emit(up(alice))
		pass(time.Second)
		select {
		case e := <-ch:
			same(t, "offer", []string{alice}, e.Instances)
		default:
			t.Error("want the newest set on offer, have nothing")
		}
	})
}

// Who comes and has left again before anybody was told is no news.
func TestSameSetIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		r := read(t, i)
		s.emit(reset(alice))
		s.emit(up(bob))
		s.emit(down(bob))
		pass(time.Second)
		same(t, "sets", [][]string{{alice}}, r.sets)
	})
}

// Nor is it for a reader who did not take the set between.
func TestSameSetIsNotSentToASlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		ch := make(chan kitsd.Event)
		i.Register(ch)
		defer i.Deregister(ch)
		s.emit(reset(alice))
		<-ch
		pass(time.Second)
		s.emit(up(bob))
		pass(time.Second) // on offer, not taken
		s.emit(down(bob))
		pass(time.Second)
		select {
		case e := <-ch:
			t.Errorf("want nothing, have %q again", e.Instances)
		default:
		}
	})
}

// The first change is sent at once, what follows is merged: a thousand changes in a second are few
// events, and the last one is right soon after.
func TestBurstIsMerged(t *testing.T) {
	const changes, most = 1000, 20
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		r := read(t, i)
		s.emit(reset())
		pass(time.Second)
		start := time.Now()
		for n := range changes {
			s.emit(up(instance(n)))
			pass(time.Millisecond)
		}
		end := time.Now()
		pass(200 * time.Millisecond)

		same(t, "the first change was sent after", 0, r.at[1].Sub(start))
		same(t, "instances in it", 1, len(r.sets[1]))
		if have := len(r.sets) - 1; have > most {
			t.Errorf("events for %d changes in a second: want at most %d, have %d", changes, most,
				have)
		}
		same(t, "instances 200 ms after the burst", changes, len(r.last()))
		t.Logf("%d events, the last one %v after the last change", len(r.sets)-1,
			r.at[len(r.at)-1].Sub(end))
	})
}

// go-kit sorts what it is given, so everybody needs a slice of their own.
func TestEventBelongsToTheSubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		one, other := read(t, i), read(t, i)
		s.emit(reset(alice, bob))
		clear(one.sets[0])
		same(t, "the other's set", []string{alice, bob}, other.sets[0])
		pass(time.Second)
		s.emit(up(carol))
		same(t, "the next set", []string{alice, bob, carol}, one.last())
	})
}

func TestRegisteringTwiceIsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		s.emit(reset(alice))
		r := read(t, i)
		i.Register(r.ch)
		pass(time.Second)
		s.emit(up(bob))
		same(t, "sets", [][]string{{alice}, {alice, bob}}, r.sets)
		i.Deregister(r.ch)
		s.emit(up(carol))
		pass(time.Second)
		same(t, "events in all", 2, len(r.sets))
	})
}

// A channel may come back, and then gets the last set as everybody does.
func TestRegisteringAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		r := read(t, i)
		s.emit(reset(alice))
		i.Deregister(r.ch)
		s.emit(up(bob))
		i.Register(r.ch)
		synctest.Wait()
		same(t, "sets", [][]string{{alice}, {alice, bob}}, r.sets)
	})
}

func TestDeregisteringAStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, i := instancer(t)
		i.Deregister(make(chan kitsd.Event))
	})
}

// Deregister takes no reader to return, and the channel can be closed then, whatever else goes on.
func TestDeregisterIsABarrier(t *testing.T) {
	for name, meanwhile := range map[string]func(i *sd.Instancer, ch chan kitsd.Event){
		"nothing":            func(*sd.Instancer, chan kitsd.Event) {},
		"another Deregister": func(i *sd.Instancer, ch chan kitsd.Event) { i.Deregister(ch) },
		"Stop":               func(i *sd.Instancer, _ chan kitsd.Event) { i.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, i := instancer(t)
				var channels [200]chan kitsd.Event
				for n := range channels {
					channels[n] = make(chan kitsd.Event)
					i.Register(channels[n])
				}
				s.emit(reset(alice)) // 200 deliveries wait for a reader
				var wg sync.WaitGroup
				for _, ch := range channels {
					wg.Go(func() { meanwhile(i, ch) })
					wg.Go(func() {
						i.Deregister(ch)
						close(ch) // a send under way would panic
					})
				}
				wg.Wait()
				for _, ch := range channels {
					if e, open := <-ch; open {
						t.Fatalf("after Deregister: want nothing sent, have %v", e)
					}
				}
			})
		})
	}
}

// Subscribers come and go while the set changes all the time.
func TestDeregisterUnderChurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		s.emit(reset())
		var wg sync.WaitGroup
		for n := range 20 {
			wg.Go(func() {
				for k := range 50 {
					ch := make(chan kitsd.Event, k%3)
					i.Register(ch)
					if k%2 == 0 {
						<-ch
					}
					time.Sleep(time.Duration(n) * time.Millisecond)
					i.Deregister(ch)
					close(ch)
				}
			})
		}
		for n := range 1000 {
			s.changes <- up(instance(n))
			pass(time.Millisecond)
		}
		wg.Wait()
		same(t, "instances in the end", 1000, len(read(t, i).last()))
	})
}
