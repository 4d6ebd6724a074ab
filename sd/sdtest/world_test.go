package sdtest_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/mem"
	"example.com/daytime/sd/sdtest"
)

const (
	alice = "192.0.2.1:8897"
	bob   = "192.0.2.2:8897"
)

// A registration is shown, and so is its end; the reckoning begins anew at each mark.
func TestViewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := mem.NewRegistry()
		v := sdtest.View(t, registry.Open())
		shows := func(want ...string) { wait.InBubble(t, time.Second, func() error { return v.Shows(want...) }) }
		shows()
		r := sdtest.Register(t, registry.Open(), alice)
		registry.Put(bob)
		shows(bob, alice)
		if err := sdtest.Phase(r.State, sd.Registered); err != nil {
			t.Error(err)
		}
		v.Mark()
		registry.Expire(bob)
		shows(alice)
		r.Deregister()
		shows()
		withdrew, lost := v.Departed()
		if err := errors.Join(sdtest.Same("withdrew", []string{alice}, withdrew),
			sdtest.Same("lost", []string{bob}, lost)); err != nil {
			t.Error(err)
		}
		if v.Smallest() != 0 || v.Has(alice) {
			t.Errorf("want nobody, have %d and %t", v.Smallest(), v.Has(alice))
		}
		v.Mark()
		if withdrew, lost := v.Departed(); v.Emits()+len(withdrew)+len(lost) > 0 {
			t.Errorf("marked: want nothing, have %d emits, %q, %q", v.Emits(), withdrew, lost)
		}
	})
}

// Whoever is not in a Reset has departed, and no difference may say so again.
func TestRecorderTakesResets(t *testing.T) {
	r := sdtest.NewRecorder()
	if err := r.Is(); err == nil {
		t.Error("want an unknown set to be unlike an empty one")
	}
	r.Emit(sd.Change{Reset: true, Up: []string{alice, bob}})
	r.Emit(sd.Change{Reset: true, Up: []string{bob}})
	if withdrew, lost := r.Departed(); withdrew != nil || sdtest.Same("lost", []string{alice}, lost) != nil {
		t.Errorf("want alice lost, have %q lost and %q withdrawn", lost, withdrew)
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	r.Emit(sd.Change{Down: []string{alice}})
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), alice) {
		t.Errorf("want an error about alice, have %v", err)
	}
}
