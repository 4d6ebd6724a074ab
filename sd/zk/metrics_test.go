package zk_test

import (
	"fmt"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/board"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	kitlog "github.com/go-kit/log"
)

// measured opens a backend that counts on a board.
func (w *world) measured(board *board.Board) *zk.Backend {
	b, err := zk.OpenBackend(w.target, zk.Dial(w.Dial), zk.Instruments(sd.BackendMetrics{
		SessionExpiries: board.Counter("expiries"), Repaired: board.Counter("repaired"),
	}))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { b.Close() })
	return b
}

// A session that ends against our will is counted once, however its end is learned of; one that
// lives on, or that we end, is not.
func TestSessionExpiriesAreCounted(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		var board board.Board
		b := w.measured(&board)
		counted := func(when string, n float64) {
			t.Helper()
			board.Want(t, when, map[string]float64{"expiries": n, "repaired": 0})
		}
		counted("from the start", 0)
		r := w.register(b, alice)
		w.phase(r.State, time.Second, sd.Registered)
		w.Disconnect()
		wait.Pass(5 * time.Second)
		counted("reconnected", 0)
		w.phase(r.State, 0, sd.Registered)

		w.Expire()
		wait.Pass(5 * time.Second)
		w.phase(r.State, 0, sd.Registered)
		counted("expired", 1)

		for range 50 { // as far as a client must have come to know that the data went back
			w.SetData("/go_servers", nil)
		}
		wait.Pass(40 * time.Second) // an audit's answer tells it
		w.Wipe()
		w.phase(r.State, 20*time.Second, sd.Registered)
		w.registered(20*time.Second, alice)
		counted("wiped", 2)
		r.Deregister()
		b.Close()
		counted("closed", 2)
	})
}

// A list that an audit finds to be wrong is counted.
func TestRepairsAreCounted(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		var board board.Board
		b := w.measured(&board)
		v := w.view(b)
		w.registered(0)
		wait.Pass(time.Second)
		w.ForgetWatches()
		w.Create("/go_servers/"+bob, nil, 0)
		w.shows(v, 37*time.Second, bob)
		board.Want(t, "repaired", map[string]float64{"repaired": 1, "expiries": 0})
	})
}

// ZooKeeper is away for five minutes: a client and a server say so, and since when.
func TestMetricsOfAnOutage(t *testing.T) {
	inWorld(t, anywhere, func(w *world) {
		var board board.Board
		b := w.measured(&board)
		i := sd.NewInstancer(b, kitlog.NewNopLogger(), sd.InstancerInstruments(sd.InstancerMetrics{
			Instances: board.Gauge("instances"), SetHash: board.Gauge("hash"),
			State: board.Gauge("state"), StateSince: board.Gauge("since"),
			LastConfirmed: board.Gauge("confirmed"),
		}))
		defer i.Stop()
		r, err := sd.NewRegistrar(b, alice, kitlog.NewNopLogger(), sd.RegistrarInstruments(
			sd.RegistrarMetrics{
				State: board.Gauge("registrations"), StateSince: board.Gauge("registrations_since"),
			}))
		if err != nil {
			t.Fatal(err)
		}
		r.Register()
		defer r.Deregister()
		w.phase(i.State, 5*time.Second, sd.Live)
		w.eventually(time.Second, func() error {
			have := fmt.Sprint(board.Values()["instances"])
			return sdtest.Same("instances", []string{"1"}, []string{have})
		})
		hash := board.Values()["hash"]
		age := func(name string) time.Duration {
			return time.Since(time.UnixMicro(int64(board.Values()[name] * 1e6)))
		}

		const outage = 5 * time.Minute
		w.Refuse(true)
		w.Disconnect()
		time.Sleep(outage)
		board.Want(t, "away", map[string]float64{
			"state{phase=live}": 0, "state{phase=stale}": 1, "instances": 1, "hash": hash,
			"registrations{phase=registered}": 0, "registrations{phase=lost}": 1,
		})
		for _, name := range []string{"since", "confirmed", "registrations_since{phase=lost}"} {
			if have := age(name); have < outage-10*time.Second || have > outage {
				t.Errorf("%s: want nearly %v ago, have %v", name, outage, have)
			}
		}
		w.Refuse(false)
		w.phase(i.State, time.Minute, sd.Live)
		w.phase(r.State, time.Minute, sd.Registered)
		wait.Pass(6 * time.Second)
		board.Want(t, "back", map[string]float64{
			"state{phase=live}": 1, "instances": 1, "hash": hash,
			"registrations{phase=registered}": 1, "registrations{phase=lost}": 0, "expiries": 1,
		})
		if have := age("confirmed"); have > 5*time.Second {
			t.Errorf("confirmed: want 5s ago at most, have %v", have)
		}
	})
}
