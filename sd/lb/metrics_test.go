package lb

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/internal/wait"
	"github.com/go-kit/kit/metrics"
	kitlog "github.com/go-kit/log"
)

// A board shows the values of instruments by name and labels, as Prometheus does.
type board struct {
	mu     sync.Mutex
	values map[string]float64
}

// An instrument is a counter, a gauge or a histogram, which counts its observations.
type instrument struct {
	board *board
	name  string
}

func (i instrument) set(f func(old float64) float64) {
	i.board.mu.Lock()
	defer i.board.mu.Unlock()
	i.board.values[i.name] = f(i.board.values[i.name])
}

func (i instrument) with(labels []string) instrument {
	return instrument{i.board, i.name + "{" + strings.Join(labels, "=") + "}"}
}

func (i instrument) Set(v float64)   { i.set(func(float64) float64 { return v }) }
func (i instrument) Add(v float64)   { i.set(func(old float64) float64 { return old + v }) }
func (i instrument) Observe(float64) { i.Add(1) }

type (
	counter   struct{ instrument }
	gauge     struct{ instrument }
	histogram struct{ instrument }
)

func (i counter) With(labels ...string) metrics.Counter     { return counter{i.with(labels)} }
func (i gauge) With(labels ...string) metrics.Gauge         { return gauge{i.with(labels)} }
func (i histogram) With(labels ...string) metrics.Histogram { return histogram{i.with(labels)} }

func (b *board) metrics() Metrics {
	b.values = map[string]float64{}
	named := func(name string) instrument { return instrument{b, name} }
	return Metrics{
		Members:         gauge{named("members")},
		Attempts:        counter{named("attempts")},
		Ejections:       counter{named("ejections")},
		BudgetExhausted: counter{named("exhausted")},
		CallDuration:    histogram{named("calls")},
	}
}

func (b *board) want(t *testing.T, what string, want map[string]float64) {
	t.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, value := range want {
		if have, ok := b.values[name]; !ok || value != have {
			t.Errorf("%s: %s: want %v, have %v (%v)", what, name, value, have, ok)
		}
	}
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b board
		f := newFleet(5)
		all := names(5)
		delete(f, all[4]) // its factory fails
		r := new(registry)
		p := NewPool(r, f.factory, kitlog.NewNopLogger(), Instruments(b.metrics()))
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
		b.want(t, "from the start", zero)
		if want, have := len(zero), len(maps.Clone(b.values)); want != have {
			t.Errorf("series: want %d, have %d: %v", want, have, b.values)
		}

		r.reset(all...)
		b.want(t, "listed", map[string]float64{"members{state=ready}": 4, "members{state=pending}": 1})
		drain(r, 5, all[3])
		f[all[0]].fail(errRefused)
		f[all[1]].fail(errReset)
		hit(t, p, all[0], 1)
		hit(t, p, all[1], 1)
		b.want(t, "failing", map[string]float64{
			"members{state=ready}": 1, "members{state=failing}": 1, "members{state=ejected}": 1,
			"members{state=drained}": 1, "ejections{cause=refused}": 1,
			"attempts{outcome=refused}": 1, "attempts{outcome=unreachable}": 1,
		})
		r.down(all[2])
		b.want(t, "lost", map[string]float64{"members{state=ready}": 0, "members{state=reserve}": 1})
		r.up(all[2])
		synctest.Wait()

		call := Retry(p, NewRandom(), Budget(0, 0), Timeout(time.Second))
		ask(t, call, 10)
		f[all[2]].fail(errors.New("the request's own"))
		call(t.Context(), 1)
		f[all[2]].fail(dialError(errors.New("no way"))) // of the kind that draws on the budget
		call(t.Context(), 1)
		b.want(t, "calls", map[string]float64{
			"calls": 12, "attempts{outcome=answered}": 10, "attempts{outcome=error}": 1, "exhausted": 1,
		})
		p.Close()
		b.want(t, "closed", map[string]float64{"members{state=ready}": 0, "members{state=ejected}": 0})
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
		if have := take(); len(have) != maxNotes-2 { // two were spent above, not quite paid back
			t.Errorf("300 at once: want %d lines, have %d", maxNotes-2, len(have))
		}
		time.Sleep(time.Minute)
		f[name].fail(nil)
		hit(t, p, name, 1)
		untold := fmt.Sprint("untold ", n-maxNotes+2)
		if have := take(); len(have) != 1 || !strings.Contains(have[0], untold) {
			t.Errorf("a minute later: want a line that counts the others, have %q", have)
		}
	})
}
