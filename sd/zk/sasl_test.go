package zk_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/session"
	"example.com/daytime/sd/zk/zkdev"
)

// A ZooKeeper that wants SASL refuses every request, pings included, and closes the connection. Both
// loops say so, and it is tried again slowly, though it grants a session each time.
func TestServerWantsSASL(t *testing.T) {
	for _, target := range []string{"zk://zookeeper.example.com", "zk://a.example.com,b.example.com,c.example.com"} {
		inWorld(t, target, func(w *world) {
			refuseAll(w.Server, zkdev.SASLRequired)
			b := w.open()
			r, v := w.register(b, alice), w.view(b)
			w.eventually(5*time.Second, func() error {
				var errs []error
				for _, err := range []error{r.State().Err, v.State().Err} {
					if !errors.Is(err, sd.ErrDenied) || !strings.Contains(err.Error(), "requires SASL") {
						errs = append(errs, errors.New("want a denial that names SASL"), err)
					}
				}
				return errors.Join(errs...)
			})
			wait.Pass(time.Minute)
			before := w.Dials()
			wait.Pass(5 * time.Minute)
			if n := w.Dials() - before; n > 45 { // two for a session that has expired
				t.Errorf("%s: dials in 5 minutes: want 45 at most, have %d", target, n)
			}
			refuseAll(w.Server, zkdev.OK)
			w.phase(r.State, 31*time.Second, sd.Registered)
			w.shows(v, 31*time.Second, alice)
		})
	}
}

// A server that grants sessions and is of no use in them is told for what it is, also if the read of
// the policy is the first that fails.
func TestUselessServerIsTold(t *testing.T) {
	for want, fault := range map[error]func(w *world){
		session.ErrDisconnected: func(w *world) { w.CloseOn(zkdev.OpGetData) },
		session.ErrUnanswered:   func(w *world) { w.PingsOnly(true) },
	} {
		inWorld(t, "zk://zookeeper.example.com?session-timeout=4s", func(w *world) {
			fault(w)
			r := w.register(w.open(), alice)
			w.eventually(10*time.Second, func() error {
				if err := r.State().Err; !errors.Is(err, want) {
					return fmt.Errorf("want %v, have %v", want, err)
				}
				return nil
			})
			w.CloseOn()
			w.PingsOnly(false)
			w.phase(r.State, 10*time.Second, sd.Registered)
		})
	}
}

// One member of three that wants SASL, as it may be while an ensemble is configured anew, holds up
// neither loop: the next one serves.
func TestOneMemberWantsSASL(t *testing.T) {
	for range 5 { // to begin with another one each time
		inWorld(t, "zk://a.example.com,b.example.com,c.example.com", func(w *world) {
			strict := zkdev.New()
			defer strict.Close()
			refuseAll(strict, zkdev.SASLRequired)
			b, err := zk.OpenBackend(w.target, zk.Dial(func(ctx context.Context, network, address string) (net.Conn, error) {
				if strings.HasPrefix(address, "a.") {
					return strict.Dial(ctx, network, address)
				}
				return w.Dial(ctx, network, address)
			}))
			if err != nil {
				w.t.Fatal(err)
			}
			defer b.Close()
			r, v := w.register(b, alice), w.view(b)
			w.phase(r.State, 4*time.Second, sd.Registered)
			w.shows(v, 4*time.Second, alice)
		})
	}
}

// refuseAll has every request answered with code.
func refuseAll(s *zkdev.Server, code zkdev.Code) {
	for op := range zkdev.OpWhoAmI + 1 {
		s.FailAll(op, code)
	}
}

// Where the member that holds the session denies a withdrawal so, and with that the connection, the
// next one does it: nobody is told that it was denied.
func TestWithdrawalWhereOneMemberWantsSASL(t *testing.T) {
	for _, op := range []zkdev.Op{zkdev.OpExists, zkdev.OpSetData, zkdev.OpMulti, zkdev.OpDelete} {
		inWorld(t, "zk://a.example.com,b.example.com,c.example.com", func(w *world) {
			r := w.register(w.open(), alice)
			w.phase(r.State, 4*time.Second, sd.Registered)
			wait.Pass(time.Minute)
			w.FailNext(op, zkdev.SASLRequired)
			r.Deregister()
			if s := r.State(); s.Phase != sd.Withdrawn || s.Err != nil {
				t.Errorf("denied %v: want it withdrawn, have %v", op, s)
			}
			w.registered(0)
		})
	}
}
