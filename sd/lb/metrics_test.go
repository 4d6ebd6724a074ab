package lb

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/internal/board"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/lb/internal/journal"
	"github.com/go-kit/kit/metrics"
	kitlog "github.com/go-kit/log"
)

// measured are all instruments of a Pool, on a board.
func measured(b *board.Board) Metrics {
	return Metrics{
		Members:         b.Gauge("members"),
		Attempts:        b.Counter("attempts"),
		Ejections:       b.Counter("ejections"),
		BudgetExhausted: b.Counter("exhausted"),
		CallDuration:    b.Histogram("calls"),
	}
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b board.Board
		want := func(when string, values map[string]float64) {
			t.Helper()
			synctest.Wait()
			b.Want(t, when, values)
		}
		f := newFleet(5)
		all := names(5)
		delete(f, all[4]) // its factory fails
		r := new(registry)
		p := NewPool(r, f.factory, kitlog.NewNopLogger(), Instruments(measured(&b)))
		zero := map[string]float64{"exhausted": 0}
		for _, state := range []string{"ready", "failing", "ejected", "drained", "reserve", "pending"} {
			zero["members{state="+state+"}"] = 0
		}
		for _, kind := range []string{"refused", "unreachable", "silent", "outlived"} {
			zero["attempts{outcome="+kind+"}"], zero["ejections{cause="+kind+"}"] = 0, 0
		}
		for _, outcome := range []string{"answered", "error", "cancelled"} {
			zero["attempts{outcome="+outcome+"}"] = 0
		}
		want("from the start", zero)
		if want, have := len(zero), len(b.Values()); want != have {
			t.Errorf("series: want %d, have %d: %v", want, have, b.Values())
		}

		r.reset(all...)
		want("listed", map[string]float64{"members{state=ready}": 4, "members{state=pending}": 1})
		drain(r, 5, all[3])
		f[all[0]].fail(errRefused)
		f[all[1]].fail(errReset)
		hit(t, p, all[0], 1)
		hit(t, p, all[1], 1)
		want("failing", map[string]float64{
			"members{state=ready}": 1, "members{state=failing}": 1, "members{state=ejected}": 1,
			"members{state=drained}": 1, "ejections{cause=refused}": 1,
			"attempts{outcome=refused}": 1, "attempts{outcome=unreachable}": 1,
		})
		r.down(all[2])
		want("lost", map[string]float64{"members{state=ready}": 0, "members{state=reserve}": 1})
		r.up(all[2])
		synctest.Wait()

		call := Retry(p, NewRandom(), Budget(0, 0), Timeout(time.Second))
		ask(t, call, 10)
		f[all[2]].fail(errors.New("the request's own"))
		call(t.Context(), 1)
		f[all[2]].fail(dialError(errors.New("no way"))) // of the kind that draws on the budget
		call(t.Context(), 1)
		want("calls", map[string]float64{
			"calls": 12, "attempts{outcome=answered}": 10, "attempts{outcome=error}": 1, "exhausted": 1,
		})
		p.Close()
		want("closed", map[string]float64{"members{state=ready}": 0, "members{state=ejected}": 0})
	})
}

// A call through a Pool that keeps metrics allocates no more than one without.
func TestMetricsDoNotAllocate(t *testing.T) {
	allocs := map[bool]float64{}
	for _, kept := range []bool{false, true} {
		var options []PoolOption
		if kept {
			options = append(options, Instruments(Metrics{
				Attempts: silentCounter{}, CallDuration: silentHistogram{},
			}))
		}
		r := new(registry)
		p := NewPool(r, nop, kitlog.NewNopLogger(), options...)
		r.reset(names(10)...)
		wait.True(t, "the members wanted", func() bool { return p.snapshot.Load().Len() == 10 })
		call := Retry(p, NewRandom())
		allocs[kept] = testing.AllocsPerRun(1000, func() { call(t.Context(), nil) })
		p.Close()
	}
	if allocs[false] != allocs[true] {
		t.Errorf("allocations of a call: want %v, have %v", allocs[false], allocs[true])
	}
}

type silentCounter struct{}

func (c silentCounter) With(...string) metrics.Counter { return c }
func (silentCounter) Add(float64)                      {}

type silentHistogram struct{}

func (h silentHistogram) With(...string) metrics.Histogram { return h }
func (silentHistogram) Observe(float64)                    {}

// There is a line for an instance that is set aside and one for its return, and few when all are.
func TestJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var lines []string
		logger := kitlog.LoggerFunc(func(kv ...any) error {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, strings.TrimSuffix(fmt.Sprintln(kv...), "\n"))
			return nil
		})
		take := func() (taken []string) {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			taken, lines = lines, nil
			return taken
		}
		const n = 300
		f := newFleet(n)
		r := new(registry)
		p := NewPool(r, f.factory, logger, Ejection(time.Second, time.Second))
		defer p.Close()
		r.reset(names(n)...)
		synctest.Wait()
		name := names(n)[0]
		f[name].fail(errReset)
		hit(t, p, name, 4)
		time.Sleep(2500 * time.Millisecond)
		f[name].fail(nil)
		hit(t, p, name, 1)
		want := []string{
			"msg set aside instance " + name + " for 1s err " + errReset.Error(),
			"msg answers again instance " + name + " after 2.5s",
		}
		if have := take(); fmt.Sprint(want) != fmt.Sprint(have) {
			t.Errorf("want %q, have %q", want, have)
		}
		for _, name := range names(n) {
			f[name].fail(errRefused)
			hit(t, p, name, 1)
		}
		if have := take(); len(have) != journal.AtOnce-2 { // two were spent above, not quite paid back
			t.Errorf("300 at once: want %d lines, have %d", journal.AtOnce-2, len(have))
		}
		time.Sleep(time.Minute)
		f[name].fail(nil)
		hit(t, p, name, 1)
		untold := fmt.Sprint("untold ", n-journal.AtOnce+2)
		if have := take(); len(have) != 1 || !strings.Contains(have[0], untold) {
			t.Errorf("a minute later: want a line that counts the others, have %q", have)
		}
	})
}
