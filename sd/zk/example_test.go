package zk_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zkdev"
	kitlog "github.com/go-kit/log"
)

// A server registers, and a client of another process learns of it.
func Example() {
	// A ZooKeeper in this process. In production the target names an ensemble.
	zookeeper, err := zkdev.Start("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer zookeeper.Close()
	target := "zk://" + zookeeper.Addr().String() + "/go_servers"
	schemes := sd.Schemes{"zk": zk.Open}

	// The server.
	ofServer, err := schemes.Open(target)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ofServer.Close()
	registrar, err := sd.NewRegistrar(ofServer, "192.0.2.1:8897", kitlog.NewNopLogger())
	if err != nil {
		fmt.Println(err)
		return
	}
	registrar.Register()
	defer registrar.Deregister()
	fmt.Println("server:", registrar.State().Phase)

	// The client.
	ofClient, err := schemes.Open(target)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ofClient.Close()
	instancer := sd.NewInstancer(ofClient, kitlog.NewNopLogger())
	defer instancer.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := instancer.Await(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("client:", instancer.Instances())
	// Output:
	// server: registered
	// client: [192.0.2.1:8897]
}

// A backend says what it has seen. Dial is the way to a server in memory, and then a test may run
// in a bubble of testing/synctest.
func ExampleBackend_Stats() {
	server := zkdev.New()
	defer server.Close()
	target, err := sd.ParseTarget("zk://zookeeper.example.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	backend, err := zk.OpenBackend(target, zk.Dial(server.Dial))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer backend.Close()

	registrar, _ := sd.NewRegistrar(backend, "192.0.2.1:8897", kitlog.NewNopLogger())
	registrar.Register()
	defer registrar.Deregister()
	fmt.Println(registrar.State().Phase)
	stats := backend.Stats()
	fmt.Println(stats.Server, stats.Timeout, stats.Dials)
	// Output:
	// registered
	// zookeeper.example.com:2181 10s 1
}

// A target that cannot be right is refused at once, with what is wrong.
func ExampleOpen() {
	schemes := sd.Schemes{"zk": zk.Open}
	_, err := schemes.Open("zk://127.0.0.1/go_servers?session-timeout=ten")
	fmt.Println(strings.Split(err.Error(), "; ")[0])
	// Output:
	// target zk://127.0.0.1/go_servers: session-timeout "ten": want a duration from 1s to 1h0m0s, such as 10s
}
