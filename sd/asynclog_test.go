package sd_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// A paper is a log that notes its lines, and takes none while it is held.
type paper struct {
	mu    sync.Mutex
	hold  chan struct{} // nil: it takes every line
	lines []string
}

// stalled returns a paper that takes nothing until its hold is closed.
func stalled() *paper { return &paper{hold: make(chan struct{})} }

func (p *paper) Log(keyvals ...any) error {
	if p.hold != nil {
		<-p.hold
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, strings.TrimSuffix(fmt.Sprintln(keyvals...), "\n"))
	return nil
}

// written returns the lines so far.
func (p *paper) written() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

func TestAsyncLoggerWritesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paper{}
		l := sd.NewAsyncLogger(p)
		var want []string
		for n := range 500 {
			l.Log("msg", n)
			want = append(want, fmt.Sprint("msg ", n))
		}
		l.Close()
		same(t, "lines", want, p.written())
		l.Log() // a line of nothing, after Close
		synctest.Wait()
		same(t, "lines", append(want, ""), p.written())
		same(t, "dropped", 0, l.Dropped())
	})
}

// A log that takes nothing holds up nobody. What waits is bounded, and what was lost is told once
// the log moves again.
func TestAsyncLoggerDrops(t *testing.T) {
	const queued, lost = 1024, 300
	synctest.Test(t, func(t *testing.T) {
		p := stalled()
		l := sd.NewAsyncLogger(p)
		l.Log("msg", "stalls")
		synctest.Wait() // this one is being written
		took := timed(func() {
			for n := range queued + lost {
				level.Info(l).Log("msg", n)
			}
		})
		same(t, "time for the lines", 0, took)
		same(t, "dropped", lost, l.Dropped())
		same(t, "Close took", time.Second, timed(l.Close))
		close(p.hold)
		synctest.Wait()
		lines := p.written()
		same(t, "lines", 1+1+queued, len(lines))
		same(t, "second line", fmt.Sprintf("level warn msg log lines dropped lines %d", lost),
			lines[1])
		same(t, "last line", fmt.Sprintf("level info msg %d", queued-1), lines[len(lines)-1])
		same(t, "Close took", 0, timed(l.Close))
		l.Log("msg", "again")
		synctest.Wait()
		same(t, "lines in the end", 1+1+queued+1, len(p.written())) // the loss is told once
		same(t, "dropped", lost, l.Dropped())
	})
}

// Who wraps a logger that is one already shares it.
func TestAsyncLoggerIsNotWrappedAgain(t *testing.T) {
	l := sd.NewAsyncLogger(kitlog.NewNopLogger())
	same(t, "wrapped again", l, sd.NewAsyncLogger(l))
}

// A caller may use its slice again, and what is bound above the queue is as it was at the call.
func TestAsyncLoggerKeepsWhatWasLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := stalled()
		l := sd.NewAsyncLogger(p)
		n := 0
		count := kitlog.With(l, "n", kitlog.Valuer(func() any { n++; return n }))
		line := []any{"msg", "first"}
		l.Log(line...)
		line[1] = "second"
		l.Log(line...)
		count.Log()
		count.Log()
		n = 100
		close(p.hold)
		l.Close()
		same(t, "lines", []string{"msg first", "msg second", "n 1", "n 2"}, p.written())
	})
}

func TestAsyncLoggerIsConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paper{}
		l := sd.NewAsyncLogger(p)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for n := range 100 {
					l.Log("msg", n)
					if n%10 == 0 {
						l.Close()
					}
				}
			})
		}
		all.Wait()
		l.Close()
		same(t, "lines", 800, len(p.written())+l.Dropped())
	})
}

// A log that nobody reads holds up no registration and no withdrawal, however often they are
// wanted, and the lines are there when somebody reads it again.
func TestRegistrarWithAStalledLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := mem.NewRegistry()
		p := stalled()
		r, err := sd.NewRegistrar(registry.Open(), alice, p)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			same(t, "Register took", 0, timed(r.Register))
			wantState(t, r, sd.Registered, nil)
			same(t, "registered", []string{alice}, registry.Instances())
			if took := timed(r.Deregister); took > 100*time.Millisecond {
				t.Errorf("Deregister took %v, want 100 ms at most", took)
			}
			wantState(t, r, sd.Withdrawn, nil)
			same(t, "registered", 0, len(registry.Instances()))
		}
		close(p.hold)
		synctest.Wait()
		same(t, "lines", 6, len(p.written()))
	})
}

// Nor does it hold up discovery, whatever there is to tell, or its end.
func TestInstancerWithAStalledLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := mem.NewRegistry()
		registry.Put(alice)
		registry.Put("no instance")
		p := stalled()
		file := t.TempDir() // a snapshot that can be neither read nor written
		i := sd.NewInstancer(registry.Open(), p, sd.Snapshot(file))
		r := read(t, i)
		same(t, "sets", [][]string{{alice}}, r.sets)
		registry.Fail(errDown)
		pass(time.Second)
		registry.Fail(nil)
		registry.Put(bob)
		pass(2 * time.Second)
		same(t, "set", []string{alice, bob}, r.last())
		if took := timed(i.Stop); took > 100*time.Millisecond {
			t.Errorf("Stop took %v, want 100 ms at most", took)
		}
		close(p.hold)
		synctest.Wait()
		if lines := strings.Join(p.written(), "\n"); !strings.Contains(lines, file) ||
			!strings.Contains(lines, "left out") || !strings.Contains(lines, "discovery live") {
			t.Errorf("log: want all three subjects in it, have\n%s", lines)
		}
	})
}

// The last lines of a log that works are written when Stop and Deregister have returned.
func TestLastLinesAreWritten(t *testing.T) {
	registry := mem.NewRegistry()
	var lines strings.Builder // it has no lock of its own
	logger := kitlog.NewLogfmtLogger(&lines)
	r, err := sd.NewRegistrar(registry.Open(), alice, logger)
	if err != nil {
		t.Fatal(err)
	}
	r.Register()
	r.Deregister()
	if have := lines.String(); !strings.HasSuffix(have, "msg=withdrawn\n") {
		t.Errorf("last line of a Registrar: want msg=withdrawn, have %q", have)
	}
}

func ExampleAsyncLogger() {
	var log strings.Builder
	logger := sd.NewAsyncLogger(kitlog.NewLogfmtLogger(&log))
	kitlog.With(logger, "instance", "192.0.2.1:8897").Log("msg", "serving")
	logger.Close()
	fmt.Print(log.String())
	// Output: instance=192.0.2.1:8897 msg=serving
}

// What a line costs its caller, with a log that takes it and with one that does not.
func BenchmarkAsyncLogger(b *testing.B) {
	for name, next := range map[string]kitlog.Logger{
		"moving": kitlog.NewNopLogger(), "stalled": stalled(),
	} {
		b.Run(name, func(b *testing.B) {
			l := sd.NewAsyncLogger(next)
			b.ReportAllocs()
			for b.Loop() {
				l.Log("msg", "serving", "instance", alice)
			}
		})
		if p, ok := next.(*paper); ok {
			close(p.hold)
		}
	}
}
