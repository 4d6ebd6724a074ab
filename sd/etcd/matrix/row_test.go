package matrix

import (
	"errors"
	"fmt"
	"time"

	"example.com/daytime/sd/internal/wait"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// slack is what a machine that is not late may add to any bound.
	slack = time.Second
	// lateBound is how late the machine may wake a sleeper in a row that is judged by its clock. Ten
	// processes wait for one another before all agree, some of them twice; etcd elects another leader
	// after a second without a heartbeat, and a lease of 2 s that was not renewed for 1.3 s is lost.
	lateBound = ttl / 10
	// lastBound is by when all must agree even if the machine was late.
	lastBound = time.Minute
	// maxRuns is how often a row is run until the machine was not late.
	maxRuns = 2
)

// row runs one fault. Do returns how long it took until the truth was known again. A row in which
// the machine was late is run again, and is not judged by its clock, nor by the requests that
// failed in it, if that was the last time: what it wants in the end it wants all the same.
func (f *fleet) row(fault string, do func() time.Duration) {
	f.Helper()
	for n := range maxRuns {
		if !f.late(f.run(fault, do)) {
			return
		}
		f.Logf("%s: run %d: the machine woke a sleeper up to %v late", fault, n+1, f.lateness.Worst())
	}
	f.unjudged++
}

// run runs a fault once.
func (f *fleet) run(fault string, do func() time.Duration) (late time.Duration) {
	f.Helper()
	asked, failed, took := f.asked.Load(), f.failed.Load(), time.Duration(-1)
	f.lateness = wait.StartLateness()
	defer func() { // also when do ends the test
		late = f.lateness.Stop()
		failed = f.failed.Load() - failed
		f.lines = append(f.lines, fmt.Sprintf("%-58s %6d %6d %8.2fs %6dms",
			fault, f.asked.Load()-asked, failed, took.Seconds(), late.Milliseconds()))
		if failed > 0 && !f.late(late) {
			f.Errorf("%s: want no request failed, have %d, such as %v", fault, failed, *f.why.Load())
		}
	}()
	took = do()
	time.Sleep(200 * time.Millisecond) // for the requests under way
	return late
}

// late reports whether a sleeper was woken so late that nothing can be said about times.
func (f *fleet) late(by time.Duration) bool { return by > lateBound }

// await waits for a check, up to a bound and slack, and returns how long that took.
func (f *fleet) await(bound time.Duration, check func() error) time.Duration {
	f.Helper()
	begun := time.Now()
	for {
		err := check()
		if err == nil {
			return time.Since(begun)
		}
		limit := bound + slack
		if f.late(f.lateness.Worst()) {
			limit = lastBound
		}
		if time.Since(begun) > limit {
			f.Fatalf("after %v, want at most %v: %v", time.Since(begun), limit, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// agree waits until everybody knows the truth, and returns how long that took. It writes an entry
// for a server that does not exist, and wants it on every list: the lists of before would be right
// by chance as long as nobody has noticed the fault. Calls to it are refused, which costs nothing.
func (f *fleet) agree(bound time.Duration, want ...string) time.Duration {
	f.Helper()
	f.marks++
	mark := fmt.Sprintf("127.0.3.%d:9", f.marks%250+1)
	begun := time.Now()
	f.await(bound, func() error { return f.admin.put(mark, "") })
	f.await(bound-time.Since(begun), func() error {
		return f.differs(append([]string{mark}, want...))
	})
	took := time.Since(begun)
	f.await(0, func() error { return f.admin.remove(mark) })
	f.await(0, func() error { return f.differs(want) })
	return took
}

// agreed is agree after a fault that changes nothing.
func (f *fleet) agreed(bound time.Duration) time.Duration {
	f.Helper()
	return f.agree(bound, f.living()...)
}

// differs says why not everybody knows that want is the truth.
func (f *fleet) differs(want []string) error {
	registered, err := f.admin.registered()
	if err != nil {
		return err
	}
	if err := same(want, registered); err != nil {
		return err
	}
	for n, c := range f.clients {
		if err := c.shows(want); err != nil {
			return fmt.Errorf("client %d: %w", n, err)
		}
	}
	return nil
}

// gone waits until nobody has an instance on the list, for ttl more if there was an election since
// term: a new leader gives every lease its whole time.
func (f *fleet) gone(bound time.Duration, instance string, term uint64) time.Duration {
	f.Helper()
	begun := time.Now()
	check := func() error {
		for n, c := range f.clients {
			if c.view.Has(instance) {
				return fmt.Errorf("client %d still has %s", n, instance)
			}
		}
		return nil
	}
	if _, err := wait.Until(bound, check); err != nil && f.admin.term() != term {
		bound += ttl
	}
	f.await(bound-time.Since(begun), check)
	return time.Since(begun)
}

// again waits until an instance is registered with another lease than before.
func (f *fleet) again(instance string, before int64) time.Duration {
	f.Helper()
	begun := time.Now()
	f.await(5*time.Second, func() error {
		entry, err := f.admin.entry(instance)
		if err == nil && (entry.Lease == 0 || entry.Lease == before) {
			err = errors.New("not registered again")
		}
		return err
	})
	f.agreed(5 * time.Second)
	return time.Since(begun)
}

// lease is that of an entry.
func (f *fleet) lease(instance string) int64 {
	f.Helper()
	entry, err := f.admin.entry(instance)
	if err != nil {
		f.Fatal(err)
	}
	return entry.Lease
}

// revoke ends the lease of an entry.
func (f *fleet) revoke(instance string) (lease int64) {
	f.Helper()
	lease = f.lease(instance)
	if _, err := f.admin[0].Revoke(f.Context(), clientv3.LeaseID(lease)); err != nil {
		f.Fatal(err)
	}
	return lease
}
