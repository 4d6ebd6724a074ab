package sd_test

import (
	"context"
	"fmt"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	"github.com/go-kit/kit/metrics"
	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"
)

// A client learns which servers there are. With zk.Open in place of registry.Open the same lines
// follow a directory in ZooKeeper.
func ExampleInstancer() {
	registry := mem.NewRegistry()
	backend := registry.Open()
	defer backend.Close()

	instancer := sd.NewInstancer(backend, kitlog.NewNopLogger())
	defer instancer.Stop()
	events := make(chan kitsd.Event)
	instancer.Register(events)

	fmt.Println((<-events).Instances)
	registry.Put("192.0.2.1:8897") // another program registers
	fmt.Println((<-events).Instances)
	registry.Put("192.0.2.2:8897")
	fmt.Println((<-events).Instances)

	instancer.Deregister(events)
	close(events)
	fmt.Println(instancer.State().Phase)
	// Output:
	// []
	// [192.0.2.1:8897]
	// [192.0.2.1:8897 192.0.2.2:8897]
	// live
}

// A printed is a gauge that prints what it is set to.
type printed string

func (p printed) With(labels ...string) metrics.Gauge { return p }
func (p printed) Set(value float64)                   { fmt.Println(p, value) }
func (p printed) Add(delta float64)                   { fmt.Println(p, "+", delta) }

// Instruments are go-kit's: those of its package metrics/prometheus fit, for example.
func ExampleInstancerInstruments() {
	registry := mem.NewRegistry()
	registry.Put("192.0.2.1:8897")
	backend := registry.Open()
	defer backend.Close()

	instancer := sd.NewInstancer(backend, kitlog.NewNopLogger(),
		sd.InstancerInstruments(sd.InstancerMetrics{Instances: printed("sd_instances")}))
	fmt.Println(instancer.Await(context.Background()))
	instancer.Stop()
	// Unordered output:
	// sd_instances 0
	// sd_instances 1
	// <nil>
}

// Differences cost the change, and not the size of the set.
func ExampleInstancer_Follow() {
	registry := mem.NewRegistry()
	registry.Put("192.0.2.1:8897")
	backend := registry.Open()
	defer backend.Close()

	instancer := sd.NewInstancer(backend, kitlog.NewNopLogger())
	defer instancer.Stop()
	told := make(chan struct{})
	stop := instancer.Follow(func(c sd.Change) {
		fmt.Println(c.Reset, c.Up, c.Down)
		told <- struct{}{}
	})

	<-told
	registry.Put("192.0.2.2:8897")
	<-told
	registry.Expire("192.0.2.1:8897")
	<-told
	stop()
	// Output:
	// true [192.0.2.1:8897] []
	// false [192.0.2.2:8897] []
	// false [] [192.0.2.1:8897]
}

// An operator drains a server. Who follows the policy is told with the instances, and go-kit's
// subscribers do not see what is drained.
func ExampleFollowPolicy() {
	registry := mem.NewRegistry()
	registry.Put("192.0.2.1:8897")
	registry.Put("192.0.2.2:8897")
	backend := registry.Open()
	defer backend.Close()

	instancer := sd.NewInstancer(backend, kitlog.NewNopLogger(), sd.FollowPolicy())
	defer instancer.Stop()
	events := make(chan kitsd.Event)
	instancer.Register(events)
	fmt.Println((<-events).Instances)

	store, err := sd.PolicyOf(backend)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, version, _ := store.ReadPolicy(context.Background())
	store.WritePolicy(context.Background(), "#daytime-policy 1\ndrain 192.0.2.1:8897 by=ops\n",
		version)
	fmt.Println((<-events).Instances)
	fmt.Println(store.WritePolicy(context.Background(), "", version))
	// Output:
	// [192.0.2.1:8897 192.0.2.2:8897]
	// [192.0.2.2:8897]
	// mem: write the policy: somebody else has written the policy: version 1, and not 0
}

// A server is registered between Register and Deregister.
func ExampleRegistrar() {
	registry := mem.NewRegistry()
	backend := registry.Open()
	defer backend.Close()

	registrar, err := sd.NewRegistrar(backend, "192.0.2.1:8897", kitlog.NewNopLogger())
	if err != nil {
		fmt.Println(err)
		return
	}
	registrar.Register()
	fmt.Println(registrar.State().Phase, registry.Instances())
	registrar.Deregister()
	fmt.Println(registrar.State().Phase, registry.Instances())
	// Output:
	// registered [192.0.2.1:8897]
	// withdrawn []
}

// Every main holds the kinds of registry that it knows.
func ExampleSchemes() {
	schemes := sd.Schemes{"fixed": sd.OpenFixed}

	backend, err := schemes.Open("fixed://192.0.2.1:8897,[2001:db8::1]:8897")
	fmt.Println(backend != nil, err)
	_, err = schemes.Open("consul://192.0.2.9")
	fmt.Println(err)
	// Output:
	// true <nil>
	// target "consul://192.0.2.9": unknown scheme "consul"; known are fixed
}

// A target is where a registry is.
func ExampleParseTarget() {
	target, err := sd.ParseTarget("zk://127.0.0.1:2181,[::1]/go_servers?session-timeout=10s")
	fmt.Println(target.Scheme, target.Hosts, target.Path, target.Keys, err)
	// Output:
	// zk [127.0.0.1:2181 [::1]] /go_servers map[session-timeout:10s] <nil>
}

// Only what can be dialled from anywhere, in its one spelling, is an instance.
func ExampleCheckInstance() {
	for _, s := range []string{"192.0.2.1:8897", "0.0.0.0:8897", "192.0.2.1:08897"} {
		fmt.Println(sd.CheckInstance(s) == nil)
	}
	// Output:
	// true
	// false
	// false
}

// A client follows two registries at once, while its servers move from one to the other.
func ExampleJoin() {
	one, two := mem.NewRegistry(), mem.NewRegistry()
	one.Put("192.0.2.1:8897")
	two.Put("192.0.2.1:8897")
	two.Put("192.0.2.2:8897")
	var parts []sd.Part
	for name, registry := range map[string]*mem.Registry{"one": one, "two": two} {
		backend := registry.Open()
		defer backend.Close()
		instancer := sd.NewInstancer(backend, kitlog.NewNopLogger())
		defer instancer.Stop()
		parts = append(parts, sd.Part{Name: name, Instancer: instancer})
	}
	union := sd.Join(parts, kitlog.NewNopLogger())
	defer union.Stop()

	if err := union.Await(context.Background()); err != nil {
		fmt.Println(err)
	}
	fmt.Println(union.Instances())
	// Output:
	// [192.0.2.1:8897 192.0.2.2:8897]
}
