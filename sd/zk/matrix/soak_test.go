package matrix

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/lb"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zktest"
	"example.com/daytime/transport/transporttest"
)

var (
	soakTime = flag.Duration("soak", 0, "soak for so long, quiet phases aside")
	soakSeed = flag.Uint64("soak.seed", uint64(time.Now().UnixNano()),
		"what is done, and when, follows from it")
	soakJournal = flag.String("soak.journal", filepath.Join(os.TempDir(), "soak.journal"),
		"`file` for what was done when")
	soakReplay = flag.String("soak.replay", "", "do what stands in this journal again")
)

// quietBound is by when all must know the truth in a quiet phase.
const quietBound = 10 * time.Second

// A fleet lives through random faults of its servers and of ZooKeeper, and random edits of its
// policy: no call fails, none goes to a drained server, and in quiet phases everybody knows the
// truth and nobody has grown.
func TestSoak(t *testing.T) {
	steps, title := soakSteps(t)
	if steps == nil {
		t.Skip("takes as long as it is told to: want -soak 10m, or -soak.replay FILE")
	}
	s := newSoak(t, title)
	for _, step := range steps {
		s.do(step)
	}
	s.report()
}

// soakSteps are those of the flags.
func soakSteps(t *testing.T) (steps []step, title string) {
	switch {
	case *soakReplay != "":
		file, err := os.Open(*soakReplay)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if steps, err = parseJournal(file); err != nil || len(steps) == 0 {
			t.Fatalf("%s: want steps, have %d, %v", *soakReplay, len(steps), err)
		}
		return steps, "replay of " + *soakReplay
	case *soakTime > 0:
		return planSoak(*soakSeed, *soakTime), fmt.Sprintf("-soak %v -soak.seed %d", *soakTime, *soakSeed)
	}
	return nil, ""
}

// isSameFile reports whether both names are of one file that is there.
func isSameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// A soak is a fleet under way. Its test drives it.
type soak struct {
	*testing.T
	*oracle
	ensemble *zktest.Ensemble
	store    *zk.Backend // an operator's
	servers  []*soakedServer
	clients  []*soakedClient
	watchers []*soakedWatcher
	journal  *os.File
	begun    time.Time // less the quiet phases
	document string    // the policy as it was written last
	unsure   bool      // whether it was
	faults   int
	worst    time.Duration // return to the truth
	first    *footprint
}

func newSoak(t *testing.T, title string) *soak {
	s := &soak{T: t, oracle: newOracle(), ensemble: zktest.StartEnsemble(t, soakMembers)}
	t.Cleanup(func() { s.lateness.Stop() })
	if isSameFile(*soakJournal, *soakReplay) {
		*soakJournal += ".again"
	}
	var err error
	if s.journal, err = os.Create(*soakJournal); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.journal.Close() })
	s.note("%s", title)
	target := targetText(s.ensemble.Addrs(), "/soak", sessionTimeout)
	for i, instance := range transporttest.FreeAddresses(t, soakServers) {
		server := newSoakedServer(target, instance, fmt.Sprint(1+i%2))
		t.Cleanup(server.close)
		server.order(step{verb: "start"})
		s.servers = append(s.servers, server)
	}
	s.open(sdtest.Target(t, target), sdtest.Target(t, target+"&watch=children"))
	s.load()
	s.begun = time.Now()
	return s
}

// open starts clients, two with each picker, and watchers. One of each is told of changes by lists.
func (s *soak) open(target, byLists sd.Target) {
	s.Helper()
	targets := []sd.Target{target, byLists}
	for n, picker := range append(lb.PickerNames(), lb.PickerNames()...) {
		c, err := openSoakedClient(targets[n/(2*len(lb.PickerNames())-1)], picker, s.oracle)
		if err != nil {
			s.Fatal(err)
		}
		s.Cleanup(c.close)
		s.clients = append(s.clients, c)
	}
	for _, target := range []sd.Target{target, target, byLists} {
		w, err := openSoakedWatcher(target)
		if err != nil {
			s.Fatal(err)
		}
		s.Cleanup(w.close)
		s.watchers = append(s.watchers, w)
	}
	var err error
	if s.store, err = zk.OpenBackend(target); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { s.store.Close() })
}

// load makes the clients' requests until the end of the test, but in quiet phases.
func (s *soak) load() {
	ctx, cancel := context.WithCancel(context.Background())
	var drivers sync.WaitGroup
	s.Cleanup(func() {
		cancel()
		drivers.Wait()
	})
	for _, c := range s.clients {
		drivers.Go(func() {
			if c.instancer.Await(ctx) != nil {
				return
			}
			ticker := time.NewTicker(soakEvery)
			defer ticker.Stop()
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
					if s.calling.TryRLock() {
						drivers.Go(func() {
							defer s.calling.RUnlock()
							c.ask(n)
						})
					}
				}
			}
		})
	}
}

// note writes a comment.
func (s *soak) note(format string, args ...any) {
	fmt.Fprintf(s.journal, "# "+format+"\n", args...)
}

// do carries out one step, when it is due, and writes it down.
func (s *soak) do(what step) {
	s.Helper()
	hold(time.Until(s.begun.Add(what.at)))
	fmt.Fprintln(s.journal, what)
	began := time.Now()
	switch {
	case what.verb == "quiet":
		s.quiet()
		s.begun = s.begun.Add(time.Since(began))
		return
	case len(what.verb) > 3 && what.verb[:3] == "zk-":
		s.zookeeper(what)
	case slices.Contains([]string{"drain", "withdraw", "undrain", "weight", "share"}, what.verb):
		s.edit(what)
	default:
		s.servers[what.numbers[0]].order(what)
	}
	s.faults++
	if took := time.Since(began); took > 100*time.Millisecond {
		s.note("took %v", short(took))
	}
}

// zookeeper breaks the ensemble or mends it.
func (s *soak) zookeeper(what step) {
	s.Helper()
	s.disturb()
	defer s.disturb()
	each := s.ensemble.Servers()
	if len(what.numbers) > 0 {
		each = each[what.numbers[0] : what.numbers[0]+1]
	}
	for _, member := range each {
		switch what.verb {
		case "zk-kill", "zk-kill-all":
			member.Kill(s)
		case "zk-start", "zk-start-all":
			member.Launch(s)
		case "zk-stop", "zk-stop-all":
			member.Freeze(s)
		case "zk-continue", "zk-continue-all":
			member.Thaw(s)
		case "zk-wipe":
			member.Wipe(s)
		}
	}
	if what.verb == "zk-wipe" { // and with it the policy
		s.forget()
		s.document, s.unsure = "", false
	}
}

// edit changes the policy as an operator does. While the registry cannot be reached it does not.
func (s *soak) edit(what step) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	text, version, err := s.store.ReadPolicy(ctx)
	if err != nil {
		s.note("not done: %v", err)
		return
	}
	before, err := policy.Parse(text)
	if err != nil {
		s.Fatal(err)
	}
	selector, rule := s.rule(what)
	if what.verb == "undrain" {
		s.forget(selector.String())
		before, _ = before.Remove(selector, policy.Drain, policy.Withdraw)
	} else if before, err = before.Set(rule, time.Now()); err != nil {
		s.Fatal(err)
	}
	if err := s.store.WritePolicy(ctx, before.String(), version); err != nil {
		s.note("not known to be done: %v", err)
		s.unsure = true
		return
	}
	s.document, s.unsure = before.String(), false
	if what.verb == "drain" || what.verb == "withdraw" {
		s.drain(selector.String())
	}
}

// rule is the line that a step writes.
func (s *soak) rule(what step) (policy.Selector, policy.Rule) {
	s.Helper()
	selector := "version=2"
	rule := policy.Rule{By: "soak"}
	switch n := what.numbers; what.verb {
	case "share":
		rule.Verb, rule.Share = policy.Share, n[0]*100
	default:
		selector = s.servers[n[0]].instance
		rule.Verb = map[string]policy.Verb{
			"drain": policy.Drain, "withdraw": policy.Withdraw, "weight": policy.Weight,
		}[what.verb]
		if rule.Verb == policy.Weight {
			rule.Weight = n[1]
		}
	}
	var err error
	if rule.Selector, err = policy.ParseSelector(selector); err != nil {
		s.Fatal(err)
	}
	return rule.Selector, rule
}

// report says what has been, and judges what is judged over the whole time.
func (s *soak) report() {
	s.Helper()
	if err := s.err(); err != nil {
		s.Error(err)
	}
	for _, server := range s.servers {
		if _, _, err := server.state(); err != nil {
			s.Error(err)
		}
	}
	summary := fmt.Sprintf("%d faults and edits, %d calls, %d failed, %d to drained servers, "+
		"%d not judged (machine late); worst return to the truth %v",
		s.faults, s.calls.Load(), s.failed, s.astray, s.unjudged, short(s.worst))
	s.note("%s", summary)
	s.Logf("%s\nload average %s\nagain: go test ./sd/zk/matrix -run Soak -soak.replay %s", summary,
		loadAverage(), *soakJournal)
}
