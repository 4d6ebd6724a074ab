package mailbox

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const deliveryPause = 100 * time.Millisecond

// The subscriber is called in a goroutine of the mailbox.
func Example() {
	m := New(100*time.Millisecond, func(*Mailbox) { fmt.Println("there is something newer") })
	m.Finish()
	// Output: there is something newer
}

// deliveries opens a mailbox whose deliveries take so long, and returns when each of them began, as
// the time since now.
func deliveries(takes time.Duration) (m *Mailbox, began *[]time.Duration) {
	start := time.Now()
	began = new([]time.Duration)
	return New(deliveryPause, func(*Mailbox) {
		*began = append(*began, time.Since(start))
		time.Sleep(takes)
	}), began
}

func TestMailboxDelivers(t *testing.T) {
	const ms = time.Millisecond
	for name, test := range map[string]struct {
		takes  time.Duration
		notify []time.Duration // when
		want   []time.Duration
	}{
		"nothing without news": {0, nil, nil},
		"the first at once":    {0, []time.Duration{0}, []time.Duration{0}},
		"at once after a quiet time": {0, []time.Duration{0, 300 * ms},
			[]time.Duration{0, 300 * ms}},
		"merged within the pause": {0, []time.Duration{0, 10 * ms, 20 * ms, 90 * ms},
			[]time.Duration{0, 100 * ms}},
		"again after a merged one": {0, []time.Duration{0, 10 * ms, 110 * ms},
			[]time.Duration{0, 100 * ms, 200 * ms}},
		"merged while one is slow": {time.Second, []time.Duration{0, 10 * ms, 900 * ms},
			[]time.Duration{0, 1100 * ms}},
		"the pause begins after it": {50 * ms, []time.Duration{0, 60 * ms},
			[]time.Duration{0, 150 * ms}},
		"no pause carried to the next": {0, []time.Duration{0, 100 * ms, 200 * ms},
			[]time.Duration{0, 100 * ms, 200 * ms}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				m, began := deliveries(test.takes)
				for _, at := range test.notify {
					time.Sleep(at - time.Since(start))
					m.Notify()
					synctest.Wait()
				}
				time.Sleep(time.Minute)
				m.Close()
				if !slices.Equal(test.want, *began) {
					t.Errorf("deliveries: want %v, have %v", test.want, *began)
				}
			})
		})
	}
}

// After close a notify is without effect, and a second close returns too.
func TestMailboxClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, began := deliveries(0)
		m.Close()
		m.Close()
		m.Notify()
		time.Sleep(time.Minute)
		if len(*began) > 0 {
			t.Errorf("deliveries after close: want none, have %v", *began)
		}
	})
}

func TestMailboxCloseWaitsForTheDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := deliveries(time.Second)
		m.Notify()
		synctest.Wait()
		start := time.Now()
		m.Close()
		if took := time.Since(start); took != time.Second {
			t.Errorf("close: want it to wait %v for the delivery, have %v", time.Second, took)
		}
	})
}

// A delivery that waits for a slow subscriber ends when the mailbox is closed.
func TestMailboxCloseEndsAWaitingDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(deliveryPause, func(m *Mailbox) { <-m.Quit() })
		m.Notify()
		synctest.Wait()
		m.Close() // a deadlock here fails the bubble
	})
}

// A mailbox that finishes delivers once more, unless it was closed before.
func TestMailboxFinishes(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(*Mailbox)
		want int
	}{
		"finish":        {(*Mailbox).Finish, 2},
		"close":         {(*Mailbox).Close, 1},
		"close, finish": {func(m *Mailbox) { m.Close(); m.Finish() }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, began := deliveries(0)
				m.Notify()
				synctest.Wait()
				test.end(m)
				if have := len(*began); have != test.want {
					t.Errorf("deliveries: want %d, have %d", test.want, have)
				}
			})
		})
	}
}
