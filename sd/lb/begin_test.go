package lb

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	kitendpoint "github.com/go-kit/kit/endpoint"
	kitlb "github.com/go-kit/kit/sd/lb"
	kitlog "github.com/go-kit/log"
)

// A Pool of an Instancer that has a set has members from the beginning: go-kit's Retry spends its
// attempts at once on one that has none.
func TestPoolOfALiveInstancer(t *testing.T) {
	for range 20 {
		i := sd.NewInstancer(registered("192.0.2.1:80", "192.0.2.2:80").Open(), kitlog.NewNopLogger())
		if err := i.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		p := NewPool(i, nop, kitlog.NewNopLogger())
		_, err := kitlb.Retry(3, time.Second, p.Balancer(NewRandom()))(t.Context(), 1)
		if err != nil {
			t.Error(err)
		}
		p.Close()
		i.Stop()
	}
}

// A factory that blocks against its contract does not hold NewPool, nor does an Instancer without a
// set, or one that was stopped.
func TestNewPoolDoesNotWaitForLong(t *testing.T) {
	for name, most := range map[string]time.Duration{"blocks": 100 * time.Millisecond, "unknown": 0, "stopped": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				registry := registered("192.0.2.1:80")
				if name == "unknown" {
					registry.Fail(io.EOF)
				}
				i := sd.NewInstancer(registry.Open(), kitlog.NewNopLogger())
				defer i.Stop()
				synctest.Wait()
				if name == "stopped" {
					i.Stop()
				}
				released := make(chan struct{})
				begin := time.Now()
				p := NewPool(i, func(string) (kitendpoint.Endpoint, io.Closer, error) {
					if name == "blocks" {
						<-released
					}
					return kitendpoint.Nop, nil, nil
				}, kitlog.NewNopLogger())
				if have := time.Since(begin); have > most {
					t.Errorf("want %v at most, have %v", most, have)
				}
				close(released)
				p.Close()
			})
		})
	}
}

func registered(instances ...string) *mem.Registry {
	r := mem.NewRegistry()
	for _, instance := range instances {
		r.Put(instance)
	}
	return r
}
