package matrix

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	"example.com/daytime/sd/policy"
)

// The oracle finds what it is there to find, and leaves alone what cannot be otherwise.
func TestOracle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, registry := newOracle(), mem.NewRegistry()
		defer o.lateness.Stop()
		c := &soakedClient{name: "one", oracle: o}
		c.instancer = sd.NewInstancer(registry.Open(), kitlog.NewNopLogger())
		defer c.instancer.Stop()
		const drained, other = "192.0.2.1:1", "192.0.2.2:2"
		time.Sleep(time.Hour)

		o.drain(drained)
		c.attempted(t, 0, drained, other) // in time
		time.Sleep(2 * drainBound)
		c.attempted(t, 1, drained, other)
		o.forget(drained)
		c.attempted(t, 1, drained)
		o.drain(drained)
		o.disturb()
		time.Sleep(2 * drainBound)
		c.attempted(t, 1, drained) // ZooKeeper was broken, and nobody may have heard
		time.Sleep(2 * sessionTimeout)
		c.attempted(t, 2, drained)
		registry.Fail(errors.New("planted"))
		synctest.Wait()
		c.attempted(t, 2, drained) // the client says itself that it does not know

		o.answer(c, errors.New("planted"))
		if err := o.err(); err == nil || !strings.Contains(err.Error(), "have 1 and 2") {
			t.Errorf("want one call failed and two attempts astray, have %v", err)
		}
	})
}

// attempted tells the oracle of attempts, and wants it to have found so many astray by then.
func (c *soakedClient) attempted(t *testing.T, want int, instances ...string) {
	t.Helper()
	for _, i := range instances {
		c.oracle.attempt(c, i)
	}
	if c.oracle.astray != want {
		t.Errorf("want %d attempts astray, have %d", want, c.oracle.astray)
	}
}

// Withdrawn servers are not listed, drained ones are listed and not called.
func TestTruth(t *testing.T) {
	running := []policy.Entry{
		{Instance: "192.0.2.1:1"}, {Instance: "192.0.2.2:2"}, {Instance: "192.0.2.3:3"},
	}
	have, err := truthOf(running, policy.Header+"\ndrain 192.0.2.1\nwithdraw 192.0.2.2\n")
	if err != nil || !slices.Equal(have.listed, []string{"192.0.2.1:1", "192.0.2.3:3"}) ||
		!slices.Equal(have.drained, []string{"192.0.2.1:1"}) ||
		!slices.Equal(have.open(), []string{"192.0.2.3:3"}) {
		t.Errorf("want the first drained, the second withdrawn, have %+v, %v", have, err)
	}
}

// What has grown beyond its bound is told, each by itself.
func TestGrown(t *testing.T) {
	first := footprint{usage: usage{100, 50}, heap: 1 << 20, descriptors: 10, resident: 20 << 20}
	if err := first.grown(first); err != nil {
		t.Errorf("want nothing grown, have %v", err)
	}
	for n, grow := range []func(*footprint){
		func(f *footprint) { f.goroutines += moreGoroutines + 1 },
		func(f *footprint) { f.usage.descriptors += moreDescriptors + 1 },
		func(f *footprint) { f.heap += moreHeap + 1 },
		func(f *footprint) { f.descriptors += moreDescriptors + 1 },
		func(f *footprint) { f.resident += moreResident + 1 },
	} {
		have := first
		if grow(&have); first.grown(have) == nil {
			t.Errorf("%d: want it told, have nothing", n)
		}
	}
}
