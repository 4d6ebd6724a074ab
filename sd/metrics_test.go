package sd_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/board"
	"example.com/daytime/sd/mem"
	kitlog "github.com/go-kit/log"
)

// instrumentsOf are all instruments of an Instancer, on a board.
func instrumentsOf(b *board.Board) sd.InstancerOption {
	return sd.InstancerInstruments(sd.InstancerMetrics{
		Instances:       b.Gauge("instances"),
		SetHash:         b.Gauge("hash"),
		State:           b.Gauge("state"),
		StateSince:      b.Gauge("since"),
		LastConfirmed:   b.Gauge("confirmed"),
		PolicyVersion:   b.Gauge("version"),
		PolicySuspended: b.Gauge("suspended"),
		PolicyProblems:  b.Gauge("problems"),
	})
}

// phase is the state in a phase that began at a time, of which the registry confirmed the set last
// at another.
func phase(p sd.Phase, since, confirmed time.Time) map[string]float64 {
	want := map[string]float64{
		"state{phase=unknown}": 0, "state{phase=live}": 0, "state{phase=stale}": 0,
		"since": unix(since), "confirmed": 0,
	}
	want["state{phase="+string(p)+"}"] = 1
	if !confirmed.IsZero() {
		want["confirmed"] = unix(confirmed)
	}
	return want
}

func unix(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

func TestInstancerMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b board.Board
		s := &source{changes: make(chan sd.Change), failures: make(chan error)}
		start := time.Now()
		i := sd.NewInstancer(s, kitlog.NewNopLogger(), instrumentsOf(&b))
		defer i.Stop()
		synctest.Wait()
		all := phase(sd.Unknown, start, time.Time{})
		for _, name := range []string{"instances", "hash", "version",
			"suspended{verb=drain}", "suspended{verb=weight}",
			"problems{kind=line}", "problems{kind=document}", "problems{kind=attributes}"} {
			all[name] = 0
		}
		same(t, "from the start", all, b.Values())

		pass(time.Minute)
		s.fail(errors.New("nobody there"))
		b.Want(t, "never answered", phase(sd.Unknown, start, time.Time{}))

		pass(time.Second)
		live := time.Now()
		s.emit(reset(alice, bob))
		b.Want(t, "live", phase(sd.Live, live, live))
		b.Want(t, "two", map[string]float64{"instances": 2})
		two := b.Values()["hash"]
		pass(time.Minute)
		b.Want(t, "live a minute later", phase(sd.Live, live, time.Now()))

		s.emit(up(carol))
		b.Want(t, "three", map[string]float64{"instances": 3})
		if three := b.Values()["hash"]; three == two || two == 0 {
			t.Errorf("hash: want another one for three than for two, have %v, %v", two, three)
		}
		s.emit(down(carol))
		b.Want(t, "two again", map[string]float64{"instances": 2, "hash": two})

		pass(time.Second)
		away := time.Now()
		s.fail(errors.New("cut off"))
		pass(5 * time.Minute)
		b.Want(t, "away for 5 minutes", phase(sd.Stale, away, away))
		b.Want(t, "kept", map[string]float64{"instances": 2, "hash": two})
		back := time.Now()
		s.emit(reset(bob, alice))
		b.Want(t, "back", phase(sd.Live, back, back))
		b.Want(t, "the same set", map[string]float64{"instances": 2, "hash": two})
		pass(time.Second)
		end := time.Now()
		i.Stop()
		pass(time.Minute)
		b.Want(t, "stopped", phase(sd.Stale, end, end))
	})
}

// The set of a snapshot file was confirmed when that was written.
func TestSnapshotMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := snapshotOf(t, alice, bob)
		written := time.Now()
		time.Sleep(time.Hour)
		var b board.Board
		registry := mem.NewRegistry()
		registry.Fail(errors.New("down"))
		i := sd.NewInstancer(registry.Open(), kitlog.NewNopLogger(), sd.Snapshot(file),
			instrumentsOf(&b))
		defer i.Stop()
		pass(time.Minute)
		b.Want(t, "from the file", phase(sd.Stale, written, written))
		b.Want(t, "from the file", map[string]float64{"instances": 2})
	})
}

func TestPolicyMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b board.Board
		registry := mem.NewRegistry()
		registry.Put(alice)
		registry.Put(bob)
		newSteered(t, registry, instrumentsOf(&b))
		shows := func(when string, want map[string]float64) {
			t.Helper()
			synctest.Wait()
			all := map[string]float64{
				"suspended{verb=drain}": 0, "suspended{verb=weight}": 0,
				"problems{kind=line}": 0, "problems{kind=document}": 0,
				"problems{kind=attributes}": 0,
			}
			for name, value := range want {
				all[name] = value
			}
			b.Want(t, when, all)
		}
		shows("none", nil)
		registry.SetPolicy(rules("drain " + alice))
		shows("one drained", map[string]float64{"version": 1, "instances": 2})
		until := time.Now().Add(time.Minute).UTC().Truncate(time.Second)
		registry.SetPolicy(rules("drain "+alice, "drain "+bob+" until="+until.Format(time.RFC3339)))
		shows("all drained", map[string]float64{"version": 2, "suspended{verb=drain}": 1})
		pass(2 * time.Minute)
		shows("one line expired", map[string]float64{"version": 2})
		registry.SetPolicy(rules("weight * 0", "wieght * 1"))
		shows("all of weight 0", map[string]float64{
			"version": 3, "suspended{verb=weight}": 1, "problems{kind=line}": 1})
		registry.SetPolicy("no policy")
		shows("unreadable", map[string]float64{
			"version": 4, "suspended{verb=weight}": 1,
			"problems{kind=line}": 1, "problems{kind=document}": 1})
		registry.SetPolicy("")
		shows("ended", map[string]float64{"version": 5})
		registry.PutEntry(alice, weighs(-1, "1"))
		shows("attributes that are none", map[string]float64{"problems{kind=attributes}": 1})
	})
}

// A count is of registrations in a phase, and since when the longest is in it.
type count struct {
	n     float64
	since time.Time
}

// registrations is what the instruments of Registrars show: nothing in the phases that are missing.
func registrations(phases map[sd.Phase]count) map[string]float64 {
	want := map[string]float64{}
	for _, p := range []sd.Phase{
		sd.Withdrawn, sd.Registering, sd.Registered, sd.Lost, sd.Conflict, sd.Withheld,
	} {
		want["state{phase="+string(p)+"}"], want["since{phase="+string(p)+"}"] = phases[p].n, 0
		if phases[p].n > 0 {
			want["since{phase="+string(p)+"}"] = unix(phases[p].since)
		}
	}
	return want
}

// The registrations of one option are counted together, each in one phase.
func TestRegistrarMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b board.Board
		option := sd.RegistrarInstruments(sd.RegistrarMetrics{
			State: b.Gauge("state"), StateSince: b.Gauge("since"),
		})
		counted := func(when string, phases map[sd.Phase]count) {
			t.Helper()
			synctest.Wait()
			same(t, when, registrations(phases), b.Values())
		}
		counted("from the start", nil)
		var desks [2]*desk
		var registrars [2]*sd.Registrar
		lost := make(chan error)
		made, logger := time.Now(), kitlog.NewNopLogger()
		for n, name := range []string{alice, bob} {
			desks[n] = &desk{announce: hears(lost)}
			r, err := sd.NewRegistrar(desks[n], name, logger, option)
			if err != nil {
				t.Fatal(err)
			}
			registrars[n] = r
		}
		if _, err := sd.NewRegistrar(desks[0], "nowhere", logger, option); err == nil {
			t.Error("want an error for what is no instance")
		}
		counted("made", map[sd.Phase]count{sd.Withdrawn: {2, made}})

		pass(time.Second)
		first := time.Now()
		registrars[0].Register()
		pass(time.Second)
		registrars[1].Register()
		counted("registered", map[sd.Phase]count{sd.Registered: {2, first}})

		pass(time.Minute)
		gone := time.Now()
		for _, d := range desks {
			d.then(fails(errors.New("cut off")))
			lost <- errors.New("cut off")
		}
		pass(5 * time.Minute)
		counted("registry away", map[sd.Phase]count{sd.Lost: {2, gone}})

		desks[0].then(fails(sd.ErrConflict))
		desks[1].then(hears(lost))
		pass(time.Minute)
		counted("back, one to a stranger", map[sd.Phase]count{
			sd.Conflict:   {1, registrars[0].State().Since},
			sd.Registered: {1, registrars[1].State().Since},
		})
		for _, r := range registrars {
			r.Deregister()
		}
		counted("withdrawn", map[sd.Phase]count{sd.Withdrawn: {2, time.Now()}})
	})
}
