package lb

import (
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
		b := newBudget(0.2, 10)
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
		b := newBudget(0.1, 0)
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
