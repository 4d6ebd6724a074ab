package zk_test

import (
	"context"
	"fmt"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zkdev"
	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"
)

// An operator steers a fleet by the policy, which is the data of the directory. A server that is
// drained stays in the directory, and no new calls go there; one that is withdrawn takes its node
// away, and puts it back when the line is gone.
func ExampleBackend_WritePolicy() {
	zookeeper := zkdev.New() // a ZooKeeper in this process
	defer zookeeper.Close()
	target, err := sd.ParseTarget("zk://zookeeper.example.com/go_servers")
	if err != nil {
		fmt.Println(err)
		return
	}
	backend, err := zk.OpenBackend(target, zk.Dial(zookeeper.Dial))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer backend.Close()

	// Two servers, one of which tells of its states.
	states := make(chan sd.State, 10)
	for _, instance := range []string{"192.0.2.1:8897", "192.0.2.2:8897"} {
		registrar, err := sd.NewRegistrar(backend, instance, kitlog.NewNopLogger())
		if err != nil {
			fmt.Println(err)
			return
		}
		registrar.Register()
		defer registrar.Deregister()
		if instance == "192.0.2.1:8897" {
			defer registrar.States(func(s sd.State) { states <- s })()
		}
	}
	fmt.Println("192.0.2.1:", (<-states).Phase)

	// A client that follows the policy, and a go-kit component that subscribes to it.
	instancer := sd.NewInstancer(backend, kitlog.NewNopLogger(), sd.FollowPolicy())
	defer instancer.Stop()
	events := make(chan kitsd.Event)
	instancer.Register(events)
	defer instancer.Deregister(events)
	fmt.Println("go-kit:", (<-events).Instances)

	// The operator.
	var operator sd.PolicyStore = backend
	write := func(rule string) {
		ctx := context.Background()
		_, version, err := operator.ReadPolicy(ctx)
		if err == nil {
			err = operator.WritePolicy(ctx, policy.Header+"\n"+rule+"\n", version)
		}
		if err != nil {
			fmt.Println(err)
		}
	}

	write("drain 192.0.2.1")
	fmt.Println("go-kit:", (<-events).Instances)
	fmt.Println("all:   ", instancer.Instances())

	write("withdraw 192.0.2.1")
	state := <-states
	fmt.Println("192.0.2.1:", state.Phase, "-", state.Err)

	write("")
	fmt.Println("192.0.2.1:", (<-states).Phase)
	fmt.Println("go-kit:", (<-events).Instances)
	// Output:
	// 192.0.2.1: registered
	// go-kit: [192.0.2.1:8897 192.0.2.2:8897]
	// go-kit: [192.0.2.2:8897]
	// all:    [192.0.2.1:8897 192.0.2.2:8897]
	// 192.0.2.1: withheld - withheld by line 2 of the policy: withdraw 192.0.2.1
	// 192.0.2.1: registered
	// go-kit: [192.0.2.1:8897 192.0.2.2:8897]
}
