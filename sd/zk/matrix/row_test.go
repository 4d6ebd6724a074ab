package matrix

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk"
)

// atOnce is how many dials a session may make beyond two a second: one for each ZooKeeper, one more
// of the token that the bucket begins with a part of, and one that is urgent and owes its token.
const atOnce = 3 + 2

// A row is one fault under way. It ends with the assertions that hold for every fault, and a line
// of the report.
type row struct {
	*fleet
	line
	begun   time.Time
	mayFail bool // requests
	sleeper *wait.Lateness

	policyGoes bool // with the fault
	oneSided   bool // nobody is left on one side of the policy's share
	dials      []int
	sessions   map[*zk.Backend]int64
	lists      int64
	eras       int64
}

// row measures what do does to the fleet.
func (f *fleet) row(id, fault string, do func(r *row)) {
	f.Helper()
	if f.steered {
		f.steer()
	}
	r := &row{fleet: f, line: line{id: id, fault: fault}, begun: time.Now()}
	r.dials, r.sessions = f.dialled(), f.sessions()
	r.lists, r.eras = f.listed(), f.recreated()
	for _, c := range f.clients {
		c.view.Mark()
	}
	f.tally.swap()
	r.sleeper = wait.StartLateness()
	defer func() { // also when do ends the test
		r.late = r.sleeper.Stop()
		r.finish()
	}()
	do(r)
}

// judge is Errorf for what a machine may be to blame for that wakes its processes late. In a row in
// which it did the report says so instead.
func (r *row) judge(format string, args ...any) {
	r.Helper()
	if r.sleeper.Worst() <= lateBound {
		r.Errorf(format, args...)
		return
	}
	r.note("not judged")
	r.Logf("not judged, the machine was %v late: %s", r.sleeper.Worst(), fmt.Sprintf(format, args...))
}

// dialled returns the dials of each session.
func (f *fleet) dialled() (dials []int) {
	for _, t := range f.taps {
		dials = append(dials, t.dialled())
	}
	return dials
}

// sessions returns the present session of each backend in this process.
func (f *fleet) sessions() map[*zk.Backend]int64 {
	sessions := map[*zk.Backend]int64{}
	for _, b := range f.backends() {
		sessions[b] = b.Stats().Session
	}
	return sessions
}

// renewed counts the backends that have another session than at the beginning of the row.
func (r *row) renewed() (n int) {
	for b, session := range r.fleet.sessions() {
		if before, known := r.sessions[b]; known && before != session {
			n++
		}
	}
	return n
}

// recreated counts how often a backend of this row gave up its session because the data had gone
// back.
func (f *fleet) recreated() (n int64) {
	for _, b := range f.backends() {
		n += b.Stats().Recreated
	}
	return n
}

// listed is how often clients listed the directory.
func (f *fleet) listed() (n int64) {
	for _, c := range f.clients {
		n += c.backend.Stats().Lists
	}
	return n
}

// finish reports a row, and checks what holds for every one.
func (r *row) finish() {
	r.Helper()
	c := r.tally.swap()
	r.line.requests, r.line.failed, r.failedAttempts = len(c.latencies), c.failed, c.failedAttempts()
	r.p50, r.p99, r.slowest = c.quantile(0.5), c.quantile(0.99), c.quantile(1)
	for i, n := range r.fleet.dialled() {
		if i < len(r.dials) {
			n -= r.dials[i]
		}
		r.line.dials = max(r.line.dials, n)
	}
	r.expired = r.renewed()
	r.line.lists = r.listed() - r.lists
	if n := r.recreated() - r.eras; n > 0 {
		r.note("recreated %d", n)
	}
	if least := r.least(); least < serverCount {
		r.note("least known %d", least)
	}
	for _, k := range slices.Sorted(maps.Keys(c.attempts)) {
		r.note("%s %d", k, c.attempts[k])
	}
	if r.steered {
		r.steeredWell(c)
	}
	r.report.add(r.line)
	r.Logf("%s %s: %d of %d requests failed, converged %v, late %v, load average %s",
		r.id, r.fault, r.failed, r.requests, r.converged, r.late, loadAverage())
	r.always(c)
}

// always is what holds for every fault.
func (r *row) always(c count) {
	r.Helper()
	for i, c := range r.clients {
		if err := c.view.Err(); err != nil {
			r.Errorf("%s: client %d: %v", r.id, i, err)
		}
	}
	took := time.Since(r.begun)
	if r.failed > 0 && !r.mayFail {
		r.judge("%s: want no failed request, have %d of %d: %v", r.id, r.failed, r.requests, c.example)
	}
	if want := atOnce + int(2*took.Seconds()); r.line.dials > want {
		r.judge("%s: want at most %d dials of one session in %v, have %d", r.id, want, took,
			r.line.dials)
	}
	if want := len(r.clients) / 2 * int((took-slack)/requestEvery); r.requests < want {
		r.judge("%s: want at least %d requests in %v, have %d: the clients were held up", r.id, want,
			took, r.requests)
	}
}

// note adds to the last column.
func (r *row) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// atMost wants d to be within bound.
func (r *row) atMost(what string, d, bound time.Duration) {
	r.Helper()
	if d > bound {
		r.judge("%s: %s: want at most %v, have %v", r.id, what, bound, d)
	}
}

// least is the size of the shortest list that any client had in this row.
func (r *row) least() int {
	least := serverCount
	for _, c := range r.clients {
		least = min(least, c.view.Smallest())
	}
	return least
}

// kept wants that no client's list was ever shorter than n in this row.
func (r *row) kept(n int) {
	r.Helper()
	if least := r.least(); least < n {
		r.judge("%s: want each client to know at least %d servers at any time, have %d", r.id, n, least)
	}
}

// quiet wants that no client's list lost anybody in this row.
func (r *row) quiet() {
	r.Helper()
	for i, c := range r.clients {
		if withdrew, lost := c.view.Departed(); len(withdrew)+len(lost) > 0 {
			r.judge("%s: want client %d to drop nobody, have %v, %v", r.id, i, withdrew, lost)
		}
	}
}

// noReset wants that no attempt was ended by a reset so far.
func (r *row) noReset() {
	r.Helper()
	if n := r.tally.failures("reset"); n > 0 {
		r.Errorf("%s: want no attempt reset, have %d", r.id, n)
	}
}

// noExpiry wants that every session lived through the row.
func (r *row) noExpiry() {
	r.Helper()
	if n := r.renewed(); n > 0 {
		r.judge("%s: want no session expired, have %d", r.id, n)
	}
}
