// Package board has go-kit's metrics for tests: instruments whose values can be read.
package board

import (
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/go-kit/kit/metrics"
)

// A Board shows the values of its instruments by name and labels, much as Prometheus does:
// x{phase=live}. The zero value has none. Its methods, and those of its instruments, may be called
// concurrently.
type Board struct {
	mu     sync.Mutex
	values map[string]float64
}

// Gauge returns the gauge of that name.
func (b *Board) Gauge(name string) metrics.Gauge { return gauge{instrument{b, name}} }

// Counter returns the counter of that name.
func (b *Board) Counter(name string) metrics.Counter { return counter{instrument{b, name}} }

// Histogram returns a histogram that counts its observations.
func (b *Board) Histogram(name string) metrics.Histogram { return histogram{instrument{b, name}} }

// Values returns what was ever set, added or observed.
func (b *Board) Values() map[string]float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.values)
}

// Want fails the test unless the board has these values; it may have more.
func (b *Board) Want(t testing.TB, when string, want map[string]float64) {
	t.Helper()
	all := b.Values()
	for name, value := range want {
		if have, ok := all[name]; !ok || value != have {
			t.Errorf("%s: %s: want %v, have %v (%v)", when, name, value, have, ok)
		}
	}
}

type instrument struct {
	board *Board
	name  string
}

func (i instrument) set(f func(old float64) float64) {
	i.board.mu.Lock()
	defer i.board.mu.Unlock()
	if i.board.values == nil {
		i.board.values = map[string]float64{}
	}
	i.board.values[i.name] = f(i.board.values[i.name])
}

func (i instrument) with(labels []string) instrument {
	return instrument{i.board, i.name + "{" + strings.Join(labels, "=") + "}"}
}

func (i instrument) Set(v float64)   { i.set(func(float64) float64 { return v }) }
func (i instrument) Add(v float64)   { i.set(func(old float64) float64 { return old + v }) }
func (i instrument) Observe(float64) { i.Add(1) }

// The interfaces differ in the type of With.
type (
	counter   struct{ instrument }
	gauge     struct{ instrument }
	histogram struct{ instrument }
)

func (i counter) With(labels ...string) metrics.Counter     { return counter{i.with(labels)} }
func (i gauge) With(labels ...string) metrics.Gauge         { return gauge{i.with(labels)} }
func (i histogram) With(labels ...string) metrics.Histogram { return histogram{i.with(labels)} }
