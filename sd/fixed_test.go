package sd_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/daytime/sd"
	kitlog "github.com/go-kit/log"
)

// fixed opens a fixed list.
func fixed(t *testing.T, text string) sd.Backend {
	b, err := sd.Schemes{"fixed": sd.OpenFixed}.Open(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFixedListIsTheSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fixed(t, "fixed://"+bob+","+alice+","+carol+","+bob)
		i := sd.NewInstancer(b, kitlog.NewNopLogger())
		defer i.Stop()
		same(t, "sets", [][]string{{alice, bob, carol}}, read(t, i).sets)
		same(t, "phase", sd.Live, i.State().Phase)
	})
}

func TestFixedListTakesNoRegistration(t *testing.T) {
	b := fixed(t, "fixed://"+alice)
	err := b.Announce(t.Context(), sd.Entry{Instance: bob},
		func(sd.Status) { t.Error("up was called") })
	if !errors.Is(err, sd.ErrDenied) {
		t.Errorf("announce: want %v, have %v", sd.ErrDenied, err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Announce(done, sd.Entry{Instance: bob}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("withdraw: want %v, have %v", context.Canceled, err)
	}
}

func TestFixedListClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fixed(t, "fixed://"+alice)
		ended := make(chan error, 1)
		go func() { ended <- b.Watch(t.Context(), sd.Want{}, func(sd.Change) {}) }()
		synctest.Wait()
		for range 2 {
			if err := b.Close(); err != nil {
				t.Errorf("close: want no error, have %v", err)
			}
		}
		if err := <-ended; !errors.Is(err, sd.ErrClosed) {
			t.Errorf("watch under way: want %v, have %v", sd.ErrClosed, err)
		}
		err := b.Watch(t.Context(), sd.Want{}, func(sd.Change) { t.Error("emit after Close") })
		if !errors.Is(err, sd.ErrClosed) {
			t.Errorf("watch after Close: want %v, have %v", sd.ErrClosed, err)
		}
	})
}

func TestFixedListErrors(t *testing.T) {
	for text, part := range map[string]string{
		"fixed://" + alice + "/p":         "neither path nor keys",
		"fixed://" + alice + "/":          "neither path nor keys",
		"fixed://" + alice + "?k=v":       "neither path nor keys",
		"fixed://192.0.2.1":               `instance "192.0.2.1"`,
		"fixed://localhost:8897":          `instance "localhost:8897"`,
		"fixed://" + alice + ",0.0.0.0:1": `instance "0.0.0.0:1"`,
		"fixed://[2001:DB8::3]:8897":      "which is [2001:db8::3]:8897",
	} {
		target, err := sd.ParseTarget(text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = sd.OpenFixed(target)
		if err == nil || !strings.Contains(err.Error(), part) ||
			!strings.Contains(err.Error(), "target "+text) {
			t.Errorf("%s: want an error with the target and %q, have %v", text, part, err)
		}
	}
}

// Who watches is told each instance once, as of any registry.
func TestFixedListNamesNobodyTwice(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_ = fixed(t, "fixed://"+bob+","+alice+","+bob).Watch(ctx, sd.Want{}, func(c sd.Change) {
		same(t, "instances", []string{bob, alice}, c.Up)
		cancel()
	})
}
