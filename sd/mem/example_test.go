package mem_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"
)

// A server and a client are tested together, each with a backend of its own as
// if they were two programs. Neither knows which kind of Backend it is given.
func Example() {
	registry := mem.NewRegistry()
	ofServer, ofClient := registry.Open(), registry.Open()
	defer ofServer.Close()
	defer ofClient.Close()

	server, err := sd.NewRegistrar(ofServer, "192.0.2.1:8897", kitlog.NewNopLogger())
	if err != nil {
		fmt.Println(err)
		return
	}
	server.Register()

	client := sd.NewInstancer(ofClient, kitlog.NewNopLogger())
	defer client.Stop()
	events := make(chan kitsd.Event)
	client.Register(events)
	fmt.Println((<-events).Instances)

	server.Deregister()
	fmt.Println((<-events).Instances)
	// Output:
	// [192.0.2.1:8897]
	// []
}

// A session ends at night: its entry goes, as if a real registry had expired it.
func ExampleRegistry_Expire() {
	registry := mem.NewRegistry()
	registry.Put("192.0.2.1:8897")
	registry.Put("192.0.2.2:8897")
	fmt.Println(registry.Instances())
	registry.Expire("192.0.2.1:8897")
	fmt.Println(registry.Instances())
	// Output:
	// [192.0.2.1:8897 192.0.2.2:8897]
	// [192.0.2.2:8897]
}

// While the registry fails every call does, and the entries stay.
func ExampleRegistry_Fail() {
	registry := mem.NewRegistry()
	registry.Put("192.0.2.1:8897")
	backend := registry.Open()
	defer backend.Close()

	registry.Fail(errors.New("connection refused"))
	fmt.Println(backend.Watch(context.Background(), sd.Want{}, func(sd.Change) {}))
	fmt.Println(registry.Instances())
	// Output:
	// mem: watch: connection refused
	// [192.0.2.1:8897]
}
