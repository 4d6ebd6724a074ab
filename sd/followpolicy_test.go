package sd_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	"example.com/daytime/sd/policy"
	kitlog "github.com/go-kit/log"
)

// rules is a document of these lines.
func rules(lines ...string) string {
	return policy.Header + "\n" + strings.Join(lines, "\n") + "\n"
}

// weighs are attributes of a weight and a version.
func weighs(weight int, version string) policy.Attributes {
	return policy.Attributes{Weight: &weight, Tags: map[string]string{"version": version}}
}

// A steered is an Instancer that follows the policy of a registry, and a follower that believes
// what it is told and no more.
type steered struct {
	*sd.Instancer
	registry *mem.Registry
	log      *strings.Builder

	mu    sync.Mutex // a timer may cause a call
	set   map[string]policy.Effective
	lost  map[string]policy.Effective // a Pool keeps these for a while
	sides []policy.Side
	told  int
}

func newSteered(t *testing.T, registry *mem.Registry, options ...sd.InstancerOption) *steered {
	s := &steered{registry: registry, log: &strings.Builder{}}
	options = append(options, sd.FollowPolicy())
	s.Instancer = sd.NewInstancer(registry.Open(), kitlog.NewLogfmtLogger(s.log), options...)
	t.Cleanup(s.Stop)
	t.Cleanup(s.Follow(s.take))
	synctest.Wait()
	return s
}

// take does what a Pool does with a change.
func (s *steered) take(c sd.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told++
	if c.Reset {
		s.set, s.lost, s.sides = map[string]policy.Effective{}, map[string]policy.Effective{}, nil
	}
	if c.Reset || c.Sides != nil {
		s.sides = c.Sides
	}
	for _, name := range c.Down {
		if !slices.Contains(c.Withdrew, name) {
			s.lost[name] = s.set[name]
		}
		delete(s.set, name)
	}
	for _, name := range c.Up {
		s.set[name] = policy.Effective{Weight: policy.DefaultWeight}
		delete(s.lost, name)
	}
	for name, v := range c.Effective {
		if _, ok := s.set[name]; ok {
			s.set[name] = v
		} else if _, ok := s.lost[name]; ok { // or it came and was lost before anything was told of it
			s.lost[name] = v
		}
	}
}

// has checks the set after a second, in which it is delivered.
func (s *steered) has(t *testing.T, what string, want map[string]policy.Effective) {
	t.Helper()
	pass(time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	same(t, what, want, s.set)
}

func plain(names ...string) map[string]policy.Effective {
	all := map[string]policy.Effective{}
	for _, name := range names {
		all[name] = policy.Effective{Weight: policy.DefaultWeight}
	}
	return all
}

// with is plain with one that is another.
func with(
	all map[string]policy.Effective, name string, v policy.Effective,
) map[string]policy.Effective {
	all = maps.Clone(all)
	all[name] = v
	return all
}

// The list and what the policy makes of it are told together, and so is each change of either.
func TestFollowPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := mem.NewRegistry()
		registry.PutEntry(alice, weighs(50, "2"))
		registry.Put(bob)
		registry.SetPolicy(rules("drain "+bob+" by=ops", "weight version=3 7"))
		s := newSteered(t, registry)
		light := policy.Effective{Weight: 50}
		drained := policy.Effective{Weight: policy.DefaultWeight, Drained: true}
		s.has(t, "first set", with(with(plain(), alice, light), bob, drained))
		same(t, "calls", 1, s.told)

		registry.PutEntry(alice, weighs(50, "3")) // another version: another line matches
		s.has(t, "after a change of attributes",
			with(with(plain(), alice, policy.Effective{Weight: 7}), bob, drained))
		registry.Put(carol)
		s.has(t, "after one came", with(with(plain(carol), alice, policy.Effective{Weight: 7}), bob,
			drained))
		registry.SetPolicy("")
		s.has(t, "after the end of the policy", with(plain(bob, carol), alice, light))
		registry.Expire(alice)
		registry.Put(alice) // without attributes, and no gap that was seen
		s.has(t, "after it came back", plain(alice, bob, carol))

		told := s.told
		registry.SetPolicy(rules("# nothing"))
		s.has(t, "after a policy that does nothing", plain(alice, bob, carol))
		same(t, "calls for it", told, s.told)
		want := `msg=policy version=1 by=ops instances=2 drained=1`
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("log: want %s in it, have\n%s", want, s.log)
		}
		same(t, "attributes of all", []policy.Entry{{Instance: alice}, {Instance: bob},
			{Instance: carol}}, s.Entries())
	})
}

// Shares are told with the sides that they make, and their end is told.
func TestFollowShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := mem.NewRegistry()
		registry.PutEntry(alice, policy.Attributes{Tags: map[string]string{"version": "2"}})
		registry.Put(bob)
		s := newSteered(t, registry)
		s.has(t, "without", plain(alice, bob))
		same(t, "sides without", 0, len(s.sides))
		registry.SetPolicy(rules("share version=2 10%"))
		s.has(t, "with", with(plain(bob), alice, policy.Effective{Weight: policy.DefaultWeight,
			Side: 1}))
		same(t, "share of the second side", 1000, s.sides[1].Share)
		late := &steered{}
		defer s.Follow(late.take)()
		pass(time.Second)
		same(t, "sides of a late follower", s.sides, late.sides)
		registry.SetPolicy("")
		s.has(t, "in the end", plain(alice, bob))
		same(t, "sides in the end", 0, len(s.sides))
	})
}

// go-kit's subscribers are not sent what is drained, unless nothing else is there.
func TestKitSubscribersSeeNoDrainedNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := mem.NewRegistry()
		registry.Put(alice)
		registry.Put(bob)
		registry.SetPolicy(rules("drain " + alice))
		s := newSteered(t, registry)
		r := read(t, s.Instancer)
		all := sd.NewInstancer(registry.Open(), kitlog.NewLogfmtLogger(s.log)) // asks for nothing
		defer all.Stop()
		plain := read(t, all)
		pass(time.Second)
		registry.SetPolicy(rules("drain " + alice))
		pass(time.Second)
		registry.SetPolicy(rules("drain *"))
		pass(time.Second)
		same(t, "sets while all are drained", [][]string{{bob}, {alice, bob}}, r.sets)
		same(t, "instances", []string{alice, bob}, s.Instances())
		if have := s.State(); have.Phase != sd.Live ||
			!strings.Contains(fmt.Sprint(have.Err), "every instance is drained") {
			t.Errorf("state: want live, and that drains are suspended, have %v", have)
		}
		registry.SetPolicy("")
		registry.Expire(bob)
		pass(time.Second)
		same(t, "sets", [][]string{{bob}, {alice, bob}, {alice}}, r.sets)
		same(t, "state", nil, s.State().Err)
		same(t, "sets of one that asks for nothing", [][]string{{alice, bob}, {alice}}, plain.sets)
		if n := strings.Count(s.log.String(), "does not follow"); n != 1 {
			t.Errorf("lines about a policy that is not followed: want 1, have %d", n)
		}
	})
}

// An unreadable policy leaves the last good one, a wrong line the others. Both are told.
func TestPolicyThatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := mem.NewRegistry()
		registry.Put(alice)
		registry.Put(bob)
		registry.SetPolicy("drain " + alice)
		s := newSteered(t, registry)
		s.has(t, "unreadable from the start", plain(alice, bob))
		wantWarning := func(parts ...string) {
			t.Helper()
			have := s.State()
			for _, part := range parts {
				if have.Phase != sd.Live || !strings.Contains(fmt.Sprint(have.Err), part) {
					t.Errorf("state: want live and %q in the error, have %v", part, have)
				}
			}
			if (len(parts) == 0) != (have.Err == nil) {
				t.Errorf("state: want no error, have %v", have)
			}
		}
		wantWarning("version 1", "unreadable")
		if err := s.Policy().Err; !errors.Is(err, policy.ErrUnreadable) ||
			!errors.Is(s.State().Err, policy.ErrUnreadable) {
			t.Errorf("error: want %v, have %v", policy.ErrUnreadable, err)
		}

		drained := policy.Effective{Weight: policy.DefaultWeight, Drained: true}
		registry.SetPolicy(rules("drain "+alice, "drian "+bob, "weight "+bob+" many"))
		s.has(t, "wrong lines", with(plain(bob), alice, drained))
		wantWarning("policy has 2 wrong lines: ", "line 3")
		registry.SetPolicy("#daytime-policy 2\n")
		s.has(t, "unreadable later", with(plain(bob), alice, drained))
		wantWarning("version 3", "unreadable", "2 wrong lines")
		registry.Fail(errDown)
		pass(time.Second)
		if have := s.State(); have.Phase != sd.Stale || !errors.Is(have.Err, errDown) {
			t.Errorf("state: want stale because of %v, have %v", errDown, have)
		}
		registry.Fail(nil)
		s.has(t, "after an outage", with(plain(bob), alice, drained))
		registry.SetPolicy(rules("drain "+alice, "weight "+bob+" many"))
		pass(time.Second)
		wantWarning("policy has 1 wrong line: ", "line 3")
		registry.SetPolicy(rules("drain "+alice, "a", "b", "c", "d", "e"))
		pass(time.Second)
		wantWarning("policy has 5 wrong lines: ")
		registry.SetPolicy("")
		s.has(t, "empty", plain(alice, bob))
		wantWarning()
		for part, want := range map[string]int{`msg="policy not followed"`: 3,
			`msg="line of the policy left out"`:               2 + 1 + 3,
			`msg="more lines of the policy left out" lines=2`: 1} {
			if have := strings.Count(s.log.String(), part); have != want {
				t.Errorf("lines with %s: want %d, have %d in\n%s", part, want, have, s.log)
			}
		}
	})
}

// A line that expires ends at its time, without a word from the registry.
func TestPolicyExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := mem.NewRegistry()
		registry.Put(alice)
		end := func(after time.Duration) string {
			return " until=" + time.Now().Add(after).UTC().Format(time.RFC3339)
		}
		registry.SetPolicy(rules("drain "+alice+end(time.Hour), "weight * 50"+end(2*time.Hour)))
		s := newSteered(t, registry)
		s.has(t, "at first", with(plain(), alice, policy.Effective{Weight: 50, Drained: true}))
		pass(time.Hour)
		s.has(t, "after an hour", with(plain(), alice, policy.Effective{Weight: 50}))
		registry.Fail(errDown)
		pass(time.Hour)
		s.has(t, "after two, while the registry is away", plain(alice))
		if have := s.State(); have.Phase != sd.Stale {
			t.Errorf("state: want it stale as before, have %v", have)
		}
		s.Stop()
		pass(24 * time.Hour)
	})
}

// What cannot be told is in the state, and what does not have it is followed without.
func TestPolicyThatIsLacking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &storing{source: source{changes: make(chan sd.Change), failures: make(chan error)}}
		i := sd.NewInstancer(b, kitlog.NewNopLogger(), sd.FollowPolicy())
		defer i.Stop()
		r := read(t, i)
		b.emit(sd.Change{Reset: true, Up: []string{alice, bob}, Lacking: sd.Want{Policy: true},
			Unread: []string{bob}})
		same(t, "sets", [][]string{{alice, bob}}, r.sets)
		have := fmt.Sprint(i.State())
		if !strings.Contains(have, "live") || !strings.Contains(have, "could not be read") ||
			!strings.Contains(have, "attributes of 1 instance") {
			t.Errorf("state: want both told, have %v", have)
		}
		same(t, "unread", []string{bob}, i.Policy().Unread)
		b.emit(sd.Change{Policy: &sd.PolicyText{Document: rules("drain " + bob), Version: 1},
			Attributes: map[string]policy.Attributes{bob: {}, "stranger": {Zone: "a"}}})
		pass(time.Second)
		same(t, "state", nil, i.State().Err)
		same(t, "sets", [][]string{{alice, bob}, {alice}}, r.sets)
		b.emit(sd.Change{Attributes: map[string]policy.Attributes{alice: {Zone: "a zone"}}})
		if have := i.State(); !strings.Contains(fmt.Sprint(have.Err), "attributes of 1 instance") {
			t.Errorf("state: want it told that an attribute is none, have %v", have)
		}

		fixed, err := sd.OpenFixed(target(t, "fixed://"+alice))
		if err != nil {
			t.Fatal(err)
		}
		without := sd.NewInstancer(fixed, kitlog.NewNopLogger(), sd.FollowPolicy())
		defer without.Stop()
		synctest.Wait()
		same(t, "state of a registry that has none", nil, without.State().Err)
		same(t, "its instances", []string{alice}, without.Instances())
		if _, err := sd.PolicyOf(fixed); !errors.Is(err, sd.ErrNoPolicy) {
			t.Errorf("policy of it: want %v, have %v", sd.ErrNoPolicy, err)
		}
	})
}

// A storing source has a policy.
type storing struct{ source }

func (*storing) ReadPolicy(context.Context) (string, int64, error) { panic("not called") }
func (*storing) WritePolicy(context.Context, string, int64) error  { panic("not called") }

// A snapshot keeps attributes and policy: a start without the registry sends no calls to what is
// drained. It is written within a second of a change of the policy.
func TestSnapshotKeepsThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "snapshot.json")
		registry := mem.NewRegistry()
		registry.PutEntry(alice, weighs(50, "2"))
		registry.Put(bob)
		s := newSteered(t, registry, sd.Snapshot(file))
		pass(6 * time.Second)
		registry.SetPolicy(rules("drain version=2"))
		pass(10 * time.Millisecond)
		registry.SetPolicy(rules("drain version=2", "weight "+bob+" 7"))
		pass(time.Second)
		if text, _ := os.ReadFile(file); !strings.Contains(string(text), "weight "+bob+" 7") {
			t.Errorf("a second after a change: want it in the file, have %s", text)
		}
		want := with(with(plain(), alice, policy.Effective{Weight: 50, Drained: true}), bob,
			policy.Effective{Weight: 7})
		s.has(t, "live", want)
		s.Stop()

		down := mem.NewRegistry()
		down.Fail(errDown)
		again := newSteered(t, down, sd.Snapshot(file))
		again.has(t, "from the file", want)
		same(t, "version", int64(2), again.Policy().Version)
		// Asks for nothing.
		other := sd.NewInstancer(down.Open(), kitlog.NewNopLogger(), sd.Snapshot(file))
		defer other.Stop()
		r := read(t, other)
		pass(time.Second)
		same(t, "sets of one that does not ask", [][]string{{alice, bob}}, r.sets)
	})
}

// A change of the policy that found the file idle leaves the pause after it as it is.
func TestSnapshotPausesAfterAChangeOfThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "snapshot.json")
		registry := mem.NewRegistry()
		registry.Put(alice)
		newSteered(t, registry, sd.Snapshot(file))
		pass(10 * time.Second)
		registry.SetPolicy(rules("drain " + alice))
		pass(time.Second)
		text, _ := os.ReadFile(file)
		same(t, "policy is written", true, strings.Contains(string(text), "drain "+alice))
		registry.Put(bob)
		pass(3 * time.Second)
		same(t, "within the pause", []string{alice}, readDocument(t, file).Instances)
		pass(2 * time.Second)
		same(t, "after it", []string{alice, bob}, readDocument(t, file).Instances)
	})
}

// One server that says it was registered in the year 57879, because it counts in microseconds, does
// not keep the file from all.
func TestSnapshotOfAWrongTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "snapshot.json")
		registry := mem.NewRegistry()
		a := weighs(50, "2")
		a.Since = time.UnixMilli(1764337682000000)
		registry.PutEntry(alice, a)
		b := weighs(60, "2") // whose year is 9999 in UTC alone
		b.Since = time.UnixMilli(253402300799999).In(time.FixedZone("", 3600))
		registry.PutEntry(bob, b)
		s := newSteered(t, registry, sd.Snapshot(file))
		pass(6 * time.Second)
		doc := readDocument(t, file)
		same(t, "instances in the file", 2, len(doc.Instances))
		same(t, "unread", []string{alice}, s.Policy().Unread)
		a.Since = time.Time{}
		same(t, "attributes", []policy.Entry{{Instance: alice, Attributes: a},
			{Instance: bob, Attributes: b}}, s.Entries())
	})
}

// With policy=off the policy of a file is not followed either. It stays there for those who do.
func TestSnapshotWithPolicyOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "snapshot.json")
		registry := mem.NewRegistry()
		registry.Put(alice)
		registry.Put(bob)
		registry.SetPolicy(rules("drain " + alice))
		on := sd.Snapshot(file, target(t, "zk://a/prod"))
		newSteered(t, registry, on).Stop()

		down := mem.NewRegistry()
		down.Fail(errDown)
		off := newSteered(t, down, sd.Snapshot(file, target(t, "zk://a/prod?policy=off")))
		off.has(t, "from the file, policy=off", plain(alice, bob))
		same(t, "policy=off: error", nil, off.Policy().Err)
		down.Put(alice)
		down.Put(bob)
		down.Fail(nil) // which has no policy to tell, as a backend with policy=off
		pass(6 * time.Second)
		off.Stop()

		down.Fail(errDown)
		drained := policy.Effective{Weight: policy.DefaultWeight, Drained: true}
		newSteered(t, down, on).has(t, "from the file after that", with(plain(bob), alice, drained))
	})
}

// A Watch that begins again tells the policy again, which is not urgent.
func TestSnapshotPausesAfterTheSamePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "snapshot.json")
		registry := mem.NewRegistry()
		registry.Put(alice)
		registry.SetPolicy(rules("drain " + alice))
		newSteered(t, registry, sd.Snapshot(file))
		pass(10 * time.Second)
		registry.Put(bob)
		pass(time.Second)
		registry.Fail(errDown)
		registry.Put(carol)
		registry.Fail(nil)
		pass(3 * time.Second)
		same(t, "within the pause", []string{alice, bob}, readDocument(t, file).Instances)
		pass(2 * time.Second)
		same(t, "after it", []string{alice, bob, carol}, readDocument(t, file).Instances)
	})
}

// A file of an Instancer that did not follow the policy does not pass for one without.
func TestSnapshotWithoutThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "snapshot.json")
		registry := mem.NewRegistry()
		registry.Put(alice)
		i := sd.NewInstancer(registry.Open(), kitlog.NewNopLogger(), sd.Snapshot(file))
		pass(6 * time.Second)
		i.Stop()

		down := mem.NewRegistry()
		down.Fail(errDown)
		var log strings.Builder
		logger := kitlog.NewLogfmtLogger(kitlog.NewSyncWriter(&log))
		again := sd.NewInstancer(down.Open(), logger, sd.Snapshot(file), sd.FollowPolicy())
		pass(time.Second)
		same(t, "from the file", []string{alice}, again.Instances())
		again.Stop()
		if !strings.Contains(log.String(), `msg="policy not followed"`) {
			t.Errorf("want it logged that the policy is lacking, have %s", &log)
		}
	})
}

// However changes are merged, a follower of any speed ends on what a look at the whole would give.
func TestFollowPolicyUnderRandomChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := mem.NewRegistry()
		s := newSteered(t, registry)
		slow := &steered{}
		defer s.Follow(func(c sd.Change) { slow.take(c); time.Sleep(rand.N(2 * time.Second)) })()
		documents := []string{"", rules("drain version=1"),
			rules("weight version=2 7", "share version=1 10%"),
			rules("zone a 10.0.0.0/28", "drain zone=a"), "unreadable", rules("share version=2 50%",
				"share version=1 20%")}
		said := map[string]policy.Attributes{}
		for range 2000 {
			name := instance(rand.N(40))
			switch rand.N(10) {
			case 0:
				registry.SetPolicy(documents[rand.N(len(documents))])
			case 1, 2, 3:
				registry.Expire(name)
			default:
				said[name] = weighs(rand.N(3), fmt.Sprint(rand.N(3)))
				registry.PutEntry(name, said[name])
			}
			pass(rand.N(60 * time.Millisecond))
		}
		pass(time.Minute)
		want := map[string]policy.Effective{}
		compiled := s.Policy().Document.Compile(time.Now())
		for _, e := range s.Entries() {
			want[e.Instance] = compiled.Effective(e)
		}
		for _, follower := range []*steered{s, slow} {
			for name, have := range follower.lost {
				lost := policy.Entry{Instance: name, Attributes: said[name]}
				same(t, "lost "+name, compiled.Effective(lost), have)
			}
		}
		same(t, "set of a quick one", want, s.set)
		same(t, "set of a slow one", want, slow.set)
		same(t, "sides of a slow one", s.sides, slow.sides)
		if sides := compiled.Sides(); len(sides) > 1 {
			same(t, "sides", sides, s.sides)
		}
		tally := policy.Tally{}
		for _, v := range want {
			tally.Add(v)
		}
		same(t, "tally", tally, s.Policy().Tally)
		t.Logf("%d calls and %d", s.told, slow.told)
	})
}

// Attributes go from a Registrar to who follows, and change without a gap.
func TestRegistrarAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := mem.NewRegistry()
		r, err := sd.NewRegistrar(registry.Open(), alice, kitlog.NewNopLogger(),
			sd.Attributes(weighs(50, "2")))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Deregister()
		s := newSteered(t, registry)
		r.Register()
		s.has(t, "registered", with(plain(), alice, policy.Effective{Weight: 50}))
		since := s.Entries()[0].Attributes.Since
		for n := range 5 { // the newest counts
			if err := r.SetAttributes(weighs(n, "2")); err != nil {
				t.Error(err)
			}
		}
		s.has(t, "changed", with(plain(), alice, policy.Effective{Weight: 4}))
		same(t, "since", since, s.Entries()[0].Attributes.Since)
		registry.Expire(alice)
		s.has(t, "after a loss", with(plain(), alice, policy.Effective{Weight: 4}))
		r.Deregister()
		if err := r.SetAttributes(weighs(9, "2")); err != nil {
			t.Error(err)
		}
		r.Register()
		s.has(t, "registered again", with(plain(), alice, policy.Effective{Weight: 9}))

		if err := r.SetAttributes(weighs(1001, "2")); err == nil ||
			!strings.Contains(err.Error(), "1001") {
			t.Errorf("wrong weight: want an error that names it, have %v", err)
		}
		if _, err := sd.NewRegistrar(registry.Open(), alice, kitlog.NewNopLogger(),
			sd.Attributes(policy.Attributes{Zone: "a b"})); err == nil {
			t.Error("wrong zone: want an error, have none")
		}
		s.has(t, "after wrong ones", with(plain(), alice, policy.Effective{Weight: 9}))
	})
}

// A directory that is missing is told while a Watch waits for it, by a backend that knows.
func TestDiagnosis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &diagnosing{err: sd.ErrNoDirectory}
		i := sd.NewInstancer(b, kitlog.NewNopLogger())
		defer i.Stop()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := i.Await(ctx); !errors.Is(err, sd.ErrNoDirectory) ||
			!errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("await: want %v, have %v", sd.ErrNoDirectory, err)
		}
		pass(time.Minute)
		if have := i.State(); have.Phase != sd.Unknown || !errors.Is(have.Err, sd.ErrNoDirectory) {
			t.Errorf("state: want unknown because of %v, have %v", sd.ErrNoDirectory, have)
		}
	})
}

// Why the registry does not answer is told beside that a set is that of a file, which may be from
// the future.
func TestDiagnosisBesideASnapshot(t *testing.T) {
	for written, want := range map[string]string{"2000-01-01T00:00:00Z": "a snapshot, of which the registry has said nothing yet: ",
		"2999-01-01T00:00:00Z": "from the future (2999-01-01T00:00:00Z)"} {
		synctest.Test(t, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "snapshot.json")
			text := `{"version":1,"written":"` + written + `","instances":["` + alice + `"]}`
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			refused := errors.New("refused")
			i := sd.NewInstancer(&diagnosing{err: refused}, kitlog.NewNopLogger(), sd.Snapshot(file))
			defer i.Stop()
			synctest.Wait()
			have := i.State()
			if have.Phase != sd.Stale || !errors.Is(have.Err, refused) || !strings.Contains(have.Err.Error(), want) {
				t.Errorf("want %s and %v, have %v", want, refused, have)
			}
		})
	}
}

// A diagnosing Backend waits, and says why.
type diagnosing struct {
	sd.Backend
	err error
}

func (b *diagnosing) Err() error { return b.err }
func (b *diagnosing) Watch(ctx context.Context, _ sd.Want, _ func(sd.Change)) error {
	<-ctx.Done()
	return ctx.Err()
}

// Who is no instance was none that is lost: no follower is told of it, whatever the policy.
func TestStrangersAreNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, i := instancer(t, sd.FollowPolicy())
		var told []string
		defer i.Follow(func(c sd.Change) { told = slices.AppendSeq(told, maps.Keys(c.Effective)) })()
		b.emit(sd.Change{Reset: true, Up: []string{alice, "stranger"}, Policy: &sd.PolicyText{}})
		b.emit(sd.Change{Down: []string{alice, "stranger"}})
		b.emit(sd.Change{Policy: &sd.PolicyText{Document: rules("drain *"), Version: 1}})
		pass(time.Second)
		same(t, "told of", []string{alice}, told)
	})
}

// A few of the names that were left out are kept, whatever there are.
func TestStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		same(t, "none", 0, len(i.Strangers()))
		s.emit(reset("z", "lock-1", alice, "b\x1b[31m", strings.Repeat("c", 1000)))
		s.emit(up("a", "z", "lock-1"))
		same(t, "strangers", []string{"a", "b\x1b[31m", strings.Repeat("c", 100)}, i.Strangers())
		same(t, "sorted", true, slices.IsSorted(i.Strangers()))
	})
}
