package wait

import (
	"sync/atomic"
	"time"
)

const (
	nap    = 10 * time.Millisecond // between two looks at the clock
	recent = 5 * time.Second       // what Recent remembers at least
	excess = time.Minute           // for what comes late
)

// A Lateness measures by how much the machine wakes a sleeper too late. A test that bounds a time
// in which processes wait for each other tells by it whether they had the processor. Its one
// goroutine ends with Stop.
type Lateness struct {
	quit, done chan struct{}
	worst      atomic.Int64 // nanoseconds, as are the others
	now        atomic.Int64 // worst of the present 5 s
	before     atomic.Int64 // and of those before
}

// StartLateness begins to measure.
func StartLateness() *Lateness {
	l := &Lateness{quit: make(chan struct{}), done: make(chan struct{})}
	go l.run()
	return l
}

func (l *Lateness) run() {
	defer close(l.done)
	timer := time.NewTimer(nap)
	defer timer.Stop()
	turn := time.Now().Add(recent)
	for {
		due := time.Now().Add(nap)
		if due.After(turn) {
			turn = due.Add(recent)
			l.before.Store(l.now.Swap(0))
		}
		timer.Reset(nap)
		select {
		case <-l.quit:
			return
		case <-timer.C:
			late := int64(time.Since(due))
			l.worst.Store(max(l.worst.Load(), late))
			l.now.Store(max(l.now.Load(), late))
		}
	}
}

// Worst is the longest that a sleeper was late so far.
func (l *Lateness) Worst() time.Duration { return time.Duration(l.worst.Load()) }

// Recent is the longest that a sleeper was late in the last 5 to 10 s.
func (l *Lateness) Recent() time.Duration {
	return time.Duration(max(l.now.Load(), l.before.Load()))
}

// Stop ends the measurement and returns Worst. It is called once.
func (l *Lateness) Stop() time.Duration {
	close(l.quit)
	<-l.done
	return l.Worst()
}

// Until is the package's Until with a minute more where the machine was later than tolerated of late:
// the limit says nothing then, and whether what is awaited comes at all does.
func (l *Lateness) Until(
	limit, tolerated time.Duration, check func() error,
) (took time.Duration, err error) {
	begun := time.Now()
	for {
		_, err = Until(Every, check)
		most := limit
		if l.Recent() > tolerated {
			most += excess
		}
		if took = time.Since(begun); err == nil || took > most {
			return took, err
		}
	}
}
