package sd_test

import (
	"context"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	kitendpoint "github.com/go-kit/kit/endpoint"
	kitsd "github.com/go-kit/kit/sd"
	kitlb "github.com/go-kit/kit/sd/lb"
	kitlog "github.com/go-kit/log"
)

// names is a factory of endpoints that answer with the instance they are for.
func names(instance string) (kitendpoint.Endpoint, io.Closer, error) {
	return func(context.Context, any) (any, error) { return instance, nil }, nil, nil
}

// dialled returns which instances an Endpointer has endpoints for, sorted.
func dialled(t *testing.T, e kitsd.Endpointer) (all []string) {
	t.Helper()
	endpoints, err := e.Endpoints()
	if err != nil {
		t.Errorf("endpoints: %v", err)
	}
	for _, call := range endpoints {
		name, _ := call(t.Context(), nil)
		all = append(all, name.(string))
	}
	return slices.Sorted(slices.Values(all))
}

// go-kit's own Endpointer runs on an Instancer, and keeps its endpoints while the registry is down
// even when it was told to drop them over an Event.Err.
func TestKitEndpointer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		e := kitsd.NewEndpointer(i, names, kitlog.NewNopLogger(), kitsd.InvalidateOnError(0))
		defer e.Close()
		same(t, "before the first answer", 0, len(dialled(t, e)))
		s.emit(reset(bob, alice))
		same(t, "at first", []string{alice, bob}, dialled(t, e))
		pass(deliveryPause)
		s.emit(sd.Change{Up: []string{carol}, Down: []string{alice}})
		same(t, "after a change", []string{bob, carol}, dialled(t, e))
		s.fail(errDown)
		pass(deliveryPause)
		same(t, "while the registry is down", []string{bob, carol}, dialled(t, e))
		late := kitsd.NewEndpointer(i, names, kitlog.NewNopLogger())
		defer late.Close()
		synctest.Wait()
		same(t, "a late one meanwhile", []string{bob, carol}, dialled(t, late))
	})
}

// Close of an Endpointer is Deregister and then close of the channel: a send after Deregister would
// panic.
func TestKitEndpointerCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		s.emit(reset())
		churn := make(chan struct{})
		go func() {
			defer close(churn)
			for n := range 2000 {
				s.changes <- up(instance(n))
			}
		}()
		for range 100 {
			kitsd.NewEndpointer(i, names, kitlog.NewNopLogger()).Close()
			pass(deliveryPause / 7)
		}
		<-churn
		e := kitsd.NewEndpointer(i, names, kitlog.NewNopLogger())
		synctest.Wait()
		same(t, "endpoints in the end", 2000, len(dialled(t, e)))
		i.Stop()
		e.Close() // also after Stop
	})
}

// The remedy for an Endpointer that is new: to ask until it has endpoints, once the set is live.
func TestNewKitEndpointer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, i := instancer(t)
		go s.emit(reset(alice))
		e := kitsd.NewEndpointer(i, names, kitlog.NewNopLogger())
		defer e.Close()
		if err := i.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		wait.True(t, "endpoints", func() bool { return len(dialled(t, e)) > 0 })
		call := kitlb.Retry(1, time.Second, kitlb.NewRoundRobin(e))
		have, err := call(t.Context(), nil)
		if have != alice || err != nil {
			t.Errorf("want %v, have %v, %v", alice, have, err)
		}
	})
}
