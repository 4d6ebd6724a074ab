package lb

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func withdrawals(b *budget) (n int) {
	for b.withdraw() {
		n++
	}
	return n
}

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(0.2, 10, budgetSeconds)
		if want, have := 100, withdrawals(b); want != have {
			t.Errorf("saved at the start: want %d, have %d", want, have)
		}
		time.Sleep(time.Second)
		if want, have := 10, withdrawals(b); want != have {
			t.Errorf("after a second: want %d, have %d", want, have)
		}
		for range 50 {
			b.deposit()
		}
		if have := withdrawals(b); have < 9 || have > 10 { // 50 times 0.2 is not quite 10
			t.Errorf("after 50 calls: want 10, have %d", have)
		}
		time.Sleep(time.Hour)
		if want, have := 100, withdrawals(b); want != have {
			t.Errorf("after an hour: want %d, have %d", want, have)
		}
	})
}

func TestBudgetOfCallsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(0.1, 0, 0)
		granted := 0
		for range 1000 {
			b.deposit()
			if b.withdraw() {
				granted++
			}
		}
		if granted < 90 || granted > 100 {
			t.Errorf("want a tenth of 1000, have %d", granted)
		}
	})
}

// The share of the calls is saved up as well, so that a busy client survives the moment in which a
// server goes dark.
func TestBudgetSavesItsShareOfTheCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(2)
		for _, s := range f {
			s.latency = 5 * time.Millisecond
		}
		p, _ := start(f)
		defer p.Close()
		call := Retry(p, NewRandom(), Idempotent())
		drive(t.Context(), call, 9000, time.Second/3000).wantNoFailure(t)
		f[names(2)[0]].fail(errEndless)
		drive(t.Context(), call, 9000, time.Second/3000).wantNoFailure(t)
	})
}

// What a caller has given up is not tried again, and no retry is paid for.
func TestGivenUpCallsCostNoRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(2)
		p, _ := start(f)
		defer p.Close()
		call := Retry(p, NewRoundRobin(), Budget(0, 0.1), Idempotent()) // one retry is saved
		for _, s := range f {
			s.fail(errEndless)
		}
		for range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Millisecond, cancel)
			if _, err := call(ctx, 1); !errors.Is(err, context.Canceled) || errors.Is(err, ErrBudget) {
				t.Errorf("want %v, have %v", context.Canceled, err)
			}
		}
		f[names(2)[0]].fail(errReset)
		f[names(2)[1]].fail(nil)
		ask(t, call, 2)
	})
}
