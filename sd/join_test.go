package sd_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	"example.com/daytime/sd/policy"
	"github.com/go-kit/kit/metrics"
	kitlog "github.com/go-kit/log"
)

// The names of the parts of most unions.
const (
	first  = "zk://192.0.2.1/go_servers"
	second = "etcd://192.0.2.2/go_servers"
)

// errRefused is another error than errDown.
var errRefused = errors.New("refused")

// join returns a union of two parts, and their sources. The end of the test stops all.
func join(t *testing.T) (a, b *source, i *sd.Instancer) {
	a, one := instancer(t)
	b, two := instancer(t)
	i = sd.Join([]sd.Part{{first, one}, {second, two}}, kitlog.NewNopLogger())
	t.Cleanup(i.Stop)
	synctest.Wait()
	return a, b, i
}

// wantPhase fails the test unless the state has that phase and an error with all of texts, or none
// without any.
func wantPhase(t *testing.T, s sd.State, p sd.Phase, texts ...string) {
	t.Helper()
	have := ""
	if s.Err != nil {
		have = s.Err.Error()
	}
	ok := s.Phase == p && (have == "") == (len(texts) == 0)
	for _, text := range texts {
		ok = ok && strings.Contains(have, text)
	}
	if !ok {
		t.Errorf("want %s and %q, have %s: %s", p, texts, s.Phase, have)
	}
}

// Every instance is in a union once, and stays until the last part has lost it.
func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, i := join(t)
		f, r := follow(t, i), read(t, i)
		a.emit(reset(alice, bob))
		b.emit(reset(bob, carol))
		same(t, "set", []string{alice, bob, carol}, i.Instances())
		pass(time.Second)
		a.emit(down(alice, bob))
		pass(time.Second)
		b.emit(up(alice))
		pass(time.Second)
		a.emit(up(alice))
		pass(time.Second)
		same(t, "calls", []news{
			{true, []string{alice, bob, carol}, nil},
			{false, nil, []string{alice}},
			{false, []string{alice}, nil},
		}, f.calls)
		same(t, "last event", []string{alice, bob, carol}, r.last())
		wantPhase(t, i.State(), sd.Live)
	})
}

// When a union begins, and with what.
func TestJoinBegins(t *testing.T) {
	for name, test := range map[string]struct {
		answers [2]int   // after so many ms, of the parts; 0: never
		at      int      // ms, when the union begins; 0: never
		first   []string // its first set
	}{
		"all answer":                     {[2]int{100, 300}, 300, []string{alice, bob}},
		"one is late":                    {[2]int{100, 5000}, 1000, []string{alice}},
		"one never answers":              {[2]int{0, 100}, 1000, []string{bob}},
		"all are late, and one is later": {[2]int{4000, 3000}, 3000, []string{bob}},
		"none answers":                   {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, i := join(t)
				begin := time.Now()
				var at int
				var sets [][]string
				stop := i.Follow(func(c sd.Change) {
					if c.Reset {
						at = int(time.Since(begin).Milliseconds())
						sets = append(sets, slices.Sorted(slices.Values(c.Up)))
					}
				})
				defer stop()
				for n, s := range []*source{a, b} {
					if d := time.Duration(test.answers[n]) * time.Millisecond; d > 0 {
						time.AfterFunc(d, func() { s.changes <- reset([]string{alice, bob}[n]) })
					}
				}
				pass(10 * time.Second)
				same(t, "beginning", test.at, at)
				if test.at == 0 {
					wantPhase(t, i.State(), sd.Unknown)
					same(t, "set", nil, i.Instances())
					return
				}
				same(t, "first sets", [][]string{test.first}, sets)
				if err := i.Await(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A union of nothing is not known, and not empty.
func TestJoinOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := sd.Join(nil, kitlog.NewNopLogger())
		defer i.Stop()
		pass(time.Minute)
		wantPhase(t, i.State(), sd.Unknown)
	})
}

// The state has the part of each registry, and is live while one of them is.
func TestJoinStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, i := join(t)
		var told []sd.State
		defer i.States(func(s sd.State) { told = append(told, s) })()
		a.fail(errDown)
		wantPhase(t, i.State(), sd.Unknown, first+": unknown: "+errDown.Error(), second+": no answer yet")
		a.emit(reset(alice, "no instance"))
		pass(time.Second)
		wantPhase(t, i.State(), sd.Live, second+": no answer yet")
		b.emit(reset())
		wantPhase(t, i.State(), sd.Live)
		a.fail(errDown)
		wantPhase(t, i.State(), sd.Live, first+": stale: "+errDown.Error())
		same(t, "set while a part is stale", []string{alice}, i.Instances())
		if err := i.Await(t.Context()); err != nil {
			t.Error(err)
		}
		b.fail(errRefused)
		wantPhase(t, i.State(), sd.Stale, first, second)
		for _, want := range []error{errDown, errRefused} {
			if have := i.State().Err; !errors.Is(have, want) {
				t.Errorf("want %v, have %v", want, have)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := i.Await(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errRefused) {
			t.Errorf("want the deadline and why, have %v", err)
		}
		parts := i.State().Parts
		same(t, "names", []string{first, second}, []string{parts[0].Name, parts[1].Name})
		same(t, "instances", []int{1, 0}, []int{parts[0].Instances, parts[1].Instances})
		same(t, "rejected", []int{1, 0}, []int{parts[0].Rejected, parts[1].Rejected})
		same(t, "strangers", []string{"no instance"}, parts[0].Strangers)
		same(t, "strangers of all", []string{"no instance"}, i.Strangers())
		same(t, "rejected by all", 1, i.Rejected())
		wantPhase(t, parts[1].State, sd.Stale, errRefused.Error())
		var phases []sd.Phase
		for _, s := range told {
			if s.Parts == nil {
				t.Errorf("want the parts told, have %v", s)
			}
			phases = append(phases, s.Phase)
		}
		same(t, "phases told", []sd.Phase{sd.Unknown, sd.Live, sd.Stale}, slices.Compact(phases))
	})
}

// Stop ends the union and leaves its parts; a part that was stopped before keeps what it had.
func TestJoinStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, one := instancer(t)
		b, two := instancer(t)
		i := sd.Join([]sd.Part{{first, one}, {second, two}}, kitlog.NewNopLogger())
		a.emit(reset(alice))
		b.emit(reset(bob))
		two.Stop()
		synctest.Wait()
		wantPhase(t, i.State(), sd.Live, second+": stale: stopped")
		i.Stop()
		i.Stop()
		a.emit(up(carol))
		same(t, "set after Stop", []string{alice, bob}, i.Instances())
		wantPhase(t, i.State(), sd.Stale, "stopped")
		if err := i.Await(t.Context()); !errors.Is(err, sd.ErrClosed) {
			t.Errorf("want %v, have %v", sd.ErrClosed, err)
		}
		same(t, "set of the part", []string{alice, carol}, one.Instances())
		late := sd.Join([]sd.Part{{first, one}, {second, two}}, kitlog.NewNopLogger())
		defer late.Stop()
		pass(time.Second)
		same(t, "set of a later union", []string{alice, carol}, late.Instances())
	})
}

// An instance withdrew if it withdrew from the part that it left last.
func TestJoinTellsWhoWithdrew(t *testing.T) {
	withdraw := sd.Change{Down: []string{alice}, Withdrew: []string{alice}}
	lose := down(alice)
	for name, test := range map[string]struct {
		a, b     sd.Change
		together bool
		want     []string
	}{
		"withdrew, then lost":     {withdraw, lose, false, nil},
		"lost, then withdrew":     {lose, withdraw, false, []string{alice}},
		"withdrew twice":          {withdraw, withdraw, false, []string{alice}},
		"withdrew at once":        {withdraw, withdraw, true, []string{alice}},
		"withdrew, lost, at once": {withdraw, lose, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, i := join(t)
				a.emit(reset(alice))
				b.emit(reset(alice))
				var last sd.Change
				defer i.Follow(func(c sd.Change) { last = c })()
				pass(time.Second)
				if test.together {
					a.changes <- test.a
					b.changes <- test.b
				} else {
					a.emit(test.a)
					same(t, "set", []string{alice}, i.Instances())
					b.emit(test.b)
				}
				pass(time.Second)
				same(t, "down", []string{alice}, last.Down)
				if !test.together || name == "withdrew at once" { // else which was last is open
					same(t, "withdrew", test.want, last.Withdrew)
				}
			})
		})
	}
}

// A snapshot of a part stands in the union until that registry answers.
func TestJoinSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := t.TempDir() + "/first"
		a, one := instancer(t, sd.Snapshot(file))
		a.emit(reset(alice))
		time.Sleep(time.Hour)
		one.Stop()
		stopped := time.Now()
		time.Sleep(time.Hour)
		_, one = instancer(t, sd.Snapshot(file))
		b, two := instancer(t)
		i := sd.Join([]sd.Part{{first, one}, {second, two}}, kitlog.NewNopLogger())
		defer i.Stop()
		pass(2 * time.Second)
		wantPhase(t, i.State(), sd.Stale, first+": stale", second+": no answer yet")
		if have := i.State().Since; have.Sub(stopped).Abs() > time.Second {
			t.Errorf("want it stale since %v, have %v", stopped, have)
		}
		same(t, "set", []string{alice}, i.Instances())
		b.emit(reset(bob))
		wantPhase(t, i.State(), sd.Live, first+": stale")
		same(t, "set", []string{alice, bob}, i.Instances())
	})
}

// A union of a snapshot is as old as that is, also if it begins in the moment in which it is read.
func TestJoinBesideASnapshot(t *testing.T) {
	file := t.TempDir() + "/first"
	var written time.Time
	synctest.Test(t, func(t *testing.T) {
		a, one := instancer(t, sd.Snapshot(file))
		a.emit(reset(alice))
		one.Stop()
		written = time.Now()
	})
	for range 5000 { // when it was wrong, one in some thousand failed
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Hour)
			one := sd.NewInstancer(&source{changes: make(chan sd.Change)}, kitlog.NewNopLogger(),
				sd.Snapshot(file))
			defer one.Stop()
			i := sd.Join([]sd.Part{{first, one}}, kitlog.NewNopLogger())
			defer i.Stop()
			pass(time.Second)
			if have := i.State().Since; !have.Equal(written) {
				t.Errorf("want it stale since %v, have %v", written, have)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// A shy is a Backend with a lock of its own, which it holds while it emits and while it says why it
// does not. It emits once it is asked that.
type shy struct {
	sd.Backend // nil: nothing else is called
	mu         sync.Mutex
	asked      sync.Once
	locked     chan struct{}
	emits      chan struct{}
}

func (s *shy) Watch(ctx context.Context, _ sd.Want, emit func(sd.Change)) error {
	s.mu.Lock()
	close(s.locked)
	<-s.emits
	emit(reset(alice))
	s.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

func (s *shy) Err() error {
	s.asked.Do(func() { close(s.emits) })
	s.mu.Lock()
	defer s.mu.Unlock()
	return nil
}

// A part that is asked why it has no set may get one in that moment.
func TestJoinAsksWithoutALock(t *testing.T) {
	s := &shy{locked: make(chan struct{}), emits: make(chan struct{})}
	one := sd.NewInstancer(s, kitlog.NewNopLogger(), sd.FollowPolicy())
	<-s.locked
	i := sd.Join([]sd.Part{{first, one}}, kitlog.NewNopLogger())
	live := make(chan error, 1)
	go func() { live <- i.Await(t.Context()) }()
	select {
	case err := <-live:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("want it live, have each waiting for the other") // nor would Stop return
	}
	i.Stop()
	one.Stop()
}

// A union that has begun says at once why a part of it has no set, as far as its backend does.
func TestJoinTellsWhyAPartIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, one := instancer(t)
		two := sd.NewInstancer(&diagnosing{err: errors.New("refused")}, kitlog.NewNopLogger())
		defer two.Stop()
		i := sd.Join([]sd.Part{{first, one}, {second, two}}, kitlog.NewNopLogger())
		defer i.Stop()
		a.emit(reset(alice))
		pass(time.Second)
		if s := i.State(); s.Phase != sd.Live || s.Err == nil || !strings.Contains(s.Err.Error(), "refused") {
			t.Errorf("want it live, and the reason told, have %v", s)
		}
	})
}

// A union that has not begun says nothing in the log, as an Instancer says nothing.
func TestJoinBeginsWithoutALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, one := instancer(t)
		var lines strings.Builder
		i := sd.Join([]sd.Part{{first, one}}, kitlog.NewLogfmtLogger(&lines))
		defer i.Stop()
		pass(100 * time.Millisecond)
		same(t, "at first", "", lines.String())
		a.emit(reset(alice))
		same(t, "with a set", `level=info msg="discovery live" instances=1 registries=1 live=1`,
			strings.TrimSpace(lines.String()))
	})
}

// The policies of two registries: drained in one is drained, attributes and weight are of the first
// that has the instance, the calls are split by the first with shares.
func TestJoinPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := mem.NewRegistry(), mem.NewRegistry()
		one, two := onMem(t, a), onMem(t, b)
		i := sd.Join([]sd.Part{{first, one}, {second, two}}, kitlog.NewNopLogger())
		defer i.Stop()
		effective := map[string]policy.Effective{}
		var sides []policy.Side
		defer i.Follow(func(c sd.Change) {
			maps.Copy(effective, c.Effective)
			if c.Sides != nil || c.Reset {
				sides = c.Sides
			}
		})()
		weigh := func(n int, zone string) policy.Attributes {
			return policy.Attributes{Weight: &n, Zone: zone}
		}
		a.PutEntry(alice, weigh(10, "a"))
		b.PutEntry(alice, weigh(20, "b"))
		b.PutEntry(bob, weigh(30, "b"))
		a.Put(carol)
		const head = "#daytime-policy 1\n"
		a.SetPolicy(head + "drain " + bob + "\nweight " + alice + " 40\n") // bob is none of a's
		b.SetPolicy(head + "drain " + alice + "\nshare zone=b 10%\n")
		pass(time.Second)
		same(t, "effective", map[string]policy.Effective{
			alice: {Weight: 40, Zone: "a", Drained: true, Side: 1},
			bob:   {Weight: 30, Zone: "b", Side: 1},
		}, effective)
		same(t, "sides", 2, len(sides))
		entries := i.Entries()
		same(t, "entries", 3, len(entries))
		same(t, "zone of alice", "a", entries[0].Attributes.Zone)
		same(t, "zone of bob", "b", entries[1].Attributes.Zone)
		r := read(t, i)
		same(t, "go-kit's", []string{bob, carol}, r.last())
		parts := i.State().Parts
		same(t, "versions", []int64{1, 1}, []int64{parts[0].Policy.Version, parts[1].Policy.Version})
		same(t, "tally", policy.Tally{Instances: 3, Drained: 1, Weighted: 2}, i.Policy().Tally)

		a.SetPolicy(head + "share zone=a 20%\n")
		b.SetPolicy(head + "drain *\n") // which is all of b, and not all
		pass(time.Second)
		same(t, "effective", map[string]policy.Effective{
			alice: {Weight: 10, Zone: "a", Drained: true, Side: 1},
			bob:   {Weight: 30, Zone: "b", Drained: true},
		}, effective)
		wantPhase(t, i.State(), sd.Live)
		a.SetPolicy(head + "drain *\n")
		pass(time.Second)
		wantPhase(t, i.State(), sd.Live, "every instance is drained")
		same(t, "sides", 0, len(sides))
	})
}

// onMem returns an Instancer that follows the policy of r.
func onMem(t *testing.T, r *mem.Registry) *sd.Instancer {
	backend := r.Open()
	i := sd.NewInstancer(backend, kitlog.NewNopLogger(), sd.FollowPolicy())
	t.Cleanup(func() {
		i.Stop()
		backend.Close()
	})
	return i
}

// A gauge holds what was set last.
type gauge struct{ value float64 }

func (g *gauge) With(...string) metrics.Gauge { return g }
func (g *gauge) Set(v float64)                { g.value = v }
func (g *gauge) Add(v float64)                { g.value += v }

// The instruments of a union are about all of its parts.
func TestJoinInstruments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var instances, version, since gauge
		r := mem.NewRegistry()
		r.Put(alice)
		r.SetPolicy("#daytime-policy 1\ndrain *\n")
		a, one := instancer(t)
		i := sd.Join([]sd.Part{{first, one}, {second, onMem(t, r)}}, kitlog.NewNopLogger(),
			sd.InstancerInstruments(sd.InstancerMetrics{Instances: &instances,
				PolicyVersion: &version, StateSince: &since}))
		defer i.Stop()
		a.emit(reset(bob))
		pass(time.Second)
		same(t, "instances", 2, instances.value)
		same(t, "version", 1, version.value)
		same(t, "since", float64(i.State().Since.UnixMicro())/1e6, since.value)
		r.SetPolicy("#daytime-policy 1\ndrain *\n# which treats everybody as before\n")
		pass(time.Second)
		same(t, "version", 2, version.value)
	})
}

// A part whose policy leaves nobody to pick is obeyed while another has somebody, and says nothing
// else: neither in its state nor in its log.
func TestJoinOfADrainedPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drained, other := mem.NewRegistry(), mem.NewRegistry()
		drained.Put(alice)
		drained.SetPolicy("#daytime-policy 1\ndrain *\n")
		drained.Fail(errDown) // until it is a part
		other.Put(bob)
		var log strings.Builder
		backend := drained.Open()
		defer backend.Close()
		one := sd.NewInstancer(backend, kitlog.NewLogfmtLogger(&log), sd.FollowPolicy())
		defer one.Stop()
		i := sd.Join([]sd.Part{{first, one}, {second, onMem(t, other)}}, kitlog.NewNopLogger())
		defer i.Stop()
		drained.Fail(nil)
		pass(10 * time.Second)
		wantPhase(t, i.State(), sd.Live)
		wantPhase(t, i.State().Parts[0].State, sd.Live)
		if have := log.String(); strings.Contains(have, "picked") {
			t.Errorf("want no word of drained ones that are picked, have %s", have)
		}
		other.SetPolicy("#daytime-policy 1\ndrain *\n")
		pass(time.Second)
		wantPhase(t, i.State(), sd.Live, "every instance is drained, so drained ones are picked")
	})
}

// Whatever the parts go through, a union is what they had last, in exact differences.
func TestJoinSeeds(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) { joinAtRandom(t, rand.New(rand.NewPCG(seed, 0))) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// joinAtRandom has two or three parts answer, change, go stale and stop, in any order.
func joinAtRandom(t *testing.T, r *rand.Rand) {
	var sources []*source
	var parts []sd.Part
	for n := range 2 + r.IntN(2) {
		s, i := instancer(t)
		sources, parts = append(sources, s), append(parts, sd.Part{Name: instance(n), Instancer: i})
	}
	i := sd.Join(parts, kitlog.NewNopLogger())
	t.Cleanup(i.Stop)
	f := follow(t, i) // which checks that every difference is exact
	begin := time.Now()
	sets := make([]map[string]bool, len(parts))
	stopped := make([]bool, len(parts))
	for range 30 {
		switch n := r.IntN(len(parts)); {
		case r.IntN(4) == 0:
			pass(time.Duration(r.IntN(400)) * time.Millisecond)
		case stopped[n]:
		case r.IntN(15) == 0:
			parts[n].Stop()
			stopped[n] = true
		case r.IntN(5) == 0:
			sources[n].fail(errDown)
		default:
			sources[n].emit(atRandom(r, &sets[n]))
		}
		if r.IntN(2) == 0 {
			continue // some changes are told together
		}
		pass(deliveryPause)
		wantJoined(t, i, f, sets, stopped, time.Since(begin) >= time.Second)
	}
}

// atRandom returns a change of a set of five names, and makes it: the whole set, which is the
// first, or a difference.
func atRandom(r *rand.Rand, set *map[string]bool) (c sd.Change) {
	c.Reset = *set == nil || r.IntN(4) == 0
	before := *set
	*set = map[string]bool{}
	for n := range 5 {
		name, is := instance(n), r.IntN(2) == 0
		switch {
		case is:
			(*set)[name] = true
			if c.Reset || !before[name] {
				c.Up = append(c.Up, name)
			}
		case before[name] && !c.Reset:
			c.Down = append(c.Down, name)
		}
	}
	return c
}

// wantJoined fails the test unless a union is that of sets, of which nil ones are not known.
func wantJoined(
	t *testing.T, i *sd.Instancer, f *follower, sets []map[string]bool, stopped []bool, late bool,
) {
	t.Helper()
	all := map[string]bool{}
	known := 0
	for _, set := range sets {
		maps.Copy(all, set)
		if set != nil {
			known++
		}
	}
	if known == 0 || known < len(sets) && !late {
		same(t, "set", nil, i.Instances())
		return
	}
	want := slices.AppendSeq([]string{}, maps.Keys(all))
	slices.Sort(want)
	same(t, "set", want, i.Instances())
	same(t, "set of a follower", len(want), len(f.set()))
	for n, p := range i.State().Parts {
		same(t, "size of part "+p.Name, len(sets[n]), p.Instances)
		if stopped[n] && p.Phase == sd.Live {
			t.Errorf("part %s is live, and stopped", p.Name)
		}
	}
}
