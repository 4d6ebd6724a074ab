package matrix

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Whatever the seed, enough servers are well at any time, and what is begun is ended before a quiet
// phase; and a journal of the steps is read as the same.
func TestSoakPlan(t *testing.T) {
	for seed := range uint64(200) {
		steps := planSoak(seed, 5*time.Minute)
		var journal strings.Builder
		journal.WriteString("# a comment\n")
		for _, s := range steps {
			fmt.Fprintln(&journal, s)
		}
		read, err := parseJournal(strings.NewReader(journal.String()))
		if err != nil || fmt.Sprint(read) != fmt.Sprint(steps) {
			t.Fatalf("seed %d: want what was written read, have %v", seed, err)
		}
		checkPlan(t, seed, steps)
	}
}

// A journal that names what there is not is refused.
func TestJournalThatIsWrong(t *testing.T) {
	for _, line := range []string{"1.5 kill 20", "1.5 zk-stop 3", "1.5 weight 20 100", "1.5 share 101", "1.5 kill",
		"1.5 kill -1", "1.5 rise 1", "kill 1", "1.5"} {
		if steps, err := parseJournal(strings.NewReader(line)); err == nil {
			t.Errorf("%q: want it refused, have %v", line, steps)
		}
	}
}

// A step of a server that could not be started is an error, and no panic.
func TestStepOfAServerThatDoesNotRun(t *testing.T) {
	for _, verb := range []string{"kill", "terminate", "stop", "continue"} {
		s := newSoakedServer("", "192.0.2.1:1", "1")
		s.order(step{verb: verb, numbers: []int{0}})
		if _, err := s.settled(); err == nil {
			t.Errorf("%s: want an error", verb)
		}
		s.close()
	}
}

// checkPlan plays steps on a world of states, apart from how they were made.
func checkPlan(t *testing.T, seed uint64, steps []step) {
	t.Helper()
	w := played{down: map[int]bool{}, stopped: map[int]bool{}, drained: map[int]bool{}}
	last := time.Duration(0)
	for _, s := range steps {
		if s.at < last {
			t.Fatalf("seed %d: %v comes after %v", seed, s, last)
		}
		last = s.at
		if err := w.play(s); err != nil {
			t.Errorf("seed %d: %v: %v: %+v", seed, s, err, w)
		}
	}
}

// A played world is what steps have made of it.
type played struct {
	down, stopped, drained map[int]bool // servers
	broken                 int          // faults of ZooKeeper under way
}

// play takes a step, and returns what must not be.
func (w *played) play(s step) error {
	switch s.verb {
	case "kill", "terminate":
		if i := s.numbers[0]; w.down[i] || w.stopped[i] {
			return errors.New("it does not run")
		}
		w.down[s.numbers[0]] = true
	case "start":
		delete(w.down, s.numbers[0])
	case "stop":
		w.stopped[s.numbers[0]] = true
	case "continue":
		delete(w.stopped, s.numbers[0])
	case "drain", "withdraw":
		w.drained[s.numbers[0]] = true
	case "undrain":
		delete(w.drained, s.numbers[0])
	case "zk-wipe":
		clear(w.drained)
		w.broken++
	case "zk-kill", "zk-stop", "zk-kill-all", "zk-stop-all":
		w.broken++
	case "zk-start", "zk-continue", "zk-start-all", "zk-continue-all":
		w.broken--
	case "quiet":
		if w.broken != 0 || len(w.stopped) > 0 {
			return errors.New("not quiet")
		}
	}
	return w.bounds()
}

// bounds returns what is broken too much at once.
func (w *played) bounds() error {
	well := 0
	for i := range soakServers {
		if !w.down[i] && !w.stopped[i] && !w.drained[i] {
			well++
		}
	}
	if well < wellServers || len(w.stopped) > maxStopped || w.broken > 1 {
		return errors.New("too much at once")
	}
	return nil
}
