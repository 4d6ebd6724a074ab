package matrix

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/policy"
)

const (
	// drainBound is how long a client that is connected may go on calling a server that is drained.
	drainBound = time.Second
	// soakLate is how late the machine may wake a sleeper while calls, and the time of a drain, are
	// judged: a call has 2 s for three attempts and for the processes that answer them.
	soakLate = 300 * time.Millisecond
	// maxComplaints are shown.
	maxComplaints = 20
)

// An oracle knows what must not happen, and counts what has.
type oracle struct {
	lateness *wait.Lateness
	calls    atomic.Int64
	calling  sync.RWMutex // is read-locked by each call that is under way

	mu         sync.Mutex
	drained    map[string]time.Time // since when the registry says so
	disturbed  time.Time            // when ZooKeeper was last broken, or mended
	failed     int                  // calls
	astray     int                  // attempts at drained servers
	unjudged   int                  // of either, while the machine was late
	complaints []error
}

func newOracle() *oracle {
	return &oracle{lateness: wait.StartLateness(), drained: map[string]time.Time{},
		disturbed: time.Now()}
}

// answer takes down how a call ended.
func (o *oracle) answer(c *soakedClient, err error) {
	o.calls.Add(1)
	if err != nil {
		o.complain(&o.failed, fmt.Errorf("a call of %s failed: %w", c.name, err))
	}
}

// complain takes down what must not happen. While the machine is late it says nothing.
func (o *oracle) complain(count *int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if late := o.lateness.Recent(); late > soakLate {
		o.unjudged++
		return
	}
	if *count++; len(o.complaints) < maxComplaints {
		o.complaints = append(o.complaints, fmt.Errorf("%s: %w", time.Now().Format(time.StampMilli), err))
	}
}

// attempt takes down that a client calls a server. One that the policy has drained for longer than
// the bound is not called, since there are always some that answer and are not drained; unless the
// client cannot know, because it has been connected, or ZooKeeper was mended, for a shorter time.
func (o *oracle) attempt(c *soakedClient, instance string) {
	o.mu.Lock()
	since, drained := o.drained[instance]
	disturbed := o.disturbed
	o.mu.Unlock()
	state := c.instancer.State()
	if !drained || state.Phase != sd.Live {
		return
	}
	for _, t := range []time.Time{state.Since, disturbed.Add(2 * sessionTimeout)} {
		if t.After(since) {
			since = t
		}
	}
	if late := time.Since(since); late > drainBound {
		o.complain(&o.astray, fmt.Errorf("%s calls %s, which is drained, %v late", c.name, instance,
			late))
	}
}

// disturb says that ZooKeeper is broken or mended now.
func (o *oracle) disturb() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.disturbed = time.Now()
}

// forget takes back that instances are drained: all, or one that may be so no more.
func (o *oracle) forget(instances ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(instances) == 0 {
		clear(o.drained)
	}
	for _, i := range instances {
		delete(o.drained, i)
	}
}

// drain says that the registry has an instance drained from now on.
func (o *oracle) drain(instance string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, already := o.drained[instance]; !already {
		o.drained[instance] = time.Now()
	}
}

// err is all that must not happen and has.
func (o *oracle) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed+o.astray == 0 {
		return nil
	}
	return fmt.Errorf("want no call failed and none sent to a drained server, have %d and %d:\n%w",
		o.failed, o.astray, errors.Join(o.complaints...))
}

// A truth is what everybody is to know: who is listed, and who of them is drained; both sorted.
type truth struct{ listed, drained []string }

// truthOf works out what follows from who runs and what the policy says.
func truthOf(running []policy.Entry, document string) (t truth, err error) {
	parsed, err := policy.Parse(document)
	if err != nil {
		return t, err
	}
	p := parsed.Compile(time.Now())
	for _, e := range running {
		switch effective := p.Effective(e); {
		case effective.Withdrawn:
		case effective.Drained:
			t.drained = append(t.drained, e.Instance)
			fallthrough
		default:
			t.listed = append(t.listed, e.Instance)
		}
	}
	return t, nil
}

// open are those who are called.
func (t truth) open() (open []string) {
	drained := map[string]bool{}
	for _, i := range t.drained {
		drained[i] = true
	}
	for _, i := range t.listed {
		if !drained[i] {
			open = append(open, i)
		}
	}
	return open
}
