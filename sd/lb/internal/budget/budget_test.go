package budget

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func withdrawals(b *Budget) (n int) {
	for b.Withdraw() {
		n++
	}
	return n
}

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(0.2, 10, 10)
		if want, have := 100, withdrawals(b); want != have {
			t.Errorf("saved at the start: want %d, have %d", want, have)
		}
		time.Sleep(time.Second)
		if want, have := 10, withdrawals(b); want != have {
			t.Errorf("after a second: want %d, have %d", want, have)
		}
		for range 50 {
			b.Deposit()
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
		b := New(0.1, 0, 0)
		granted := 0
		for range 1000 {
			b.Deposit()
			if b.Withdraw() {
				granted++
			}
		}
		if granted < 90 || granted > 100 {
			t.Errorf("want a tenth of 1000, have %d", granted)
		}
	})
}

// What is spare leaves a second's worth of the savings, in a budget for few attempts less, and of one
// that saves nothing all.
func TestSpare(t *testing.T) {
	for _, c := range []struct {
		ratio, perSecond, seconds float64
		want                      int // that are left
	}{{0.2, 10, 10, 10}, {0, 1, 10, 1}, {0, 0.1, 10, 0}, {0.1, 0, 0, 0}} {
		synctest.Test(t, func(t *testing.T) {
			b := New(c.ratio, c.perSecond, c.seconds)
			for b.WithdrawSpare() {
			}
			if have := withdrawals(b); c.want != have {
				t.Errorf("%+v: want %d left, have %d", c, c.want, have)
			}
		})
	}
}
