package zk_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/session"
	"example.com/daytime/sd/zk/zkdev"
)

// A ZooKeeper that wants SASL refuses every request, pings included, and closes the connection. Both
// loops say so, and it is tried again slowly, though it grants a session each time.
func TestServerWantsSASL(t *testing.T) {
	for _, target := range []string{"zk://zookeeper.example.com", "zk://a.example.com,b.example.com,c.example.com"} {
		inWorld(t, target, func(w *world) {
			refuse := func(code zkdev.Code) {
				for op := range zkdev.OpWhoAmI + 1 {
					w.FailAll(op, code)
				}
			}
			refuse(zkdev.SASLRequired)
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
			refuse(zkdev.OK)
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
