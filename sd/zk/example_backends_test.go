package zk_test

import (
	"fmt"
	"strings"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zkdev"
	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"
)

// One server comes and goes, and one client looks on. The same lines run on each kind of backend:
// in unit tests on sd/mem, for real on ZooKeeper.
func Example_anyBackend() {
	inMemory := mem.NewRegistry()

	// A ZooKeeper in this process. In production the target names an ensemble.
	server, err := zkdev.Start("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	target, err := sd.ParseTarget("zk://" + server.Addr().String() + "/go_servers?session-timeout=4s")
	if err != nil {
		fmt.Println(err)
		return
	}
	inZooKeeper := func() (sd.Backend, error) { return zk.Open(target) }

	fmt.Println("sd/mem:", comeAndGo(func() (sd.Backend, error) { return inMemory.Open(), nil }))
	fmt.Println("sd/zk: ", comeAndGo(inZooKeeper))
	// Output:
	// sd/mem: [192.0.2.1:8897] [192.0.2.1:8897 192.0.2.2:8897] [192.0.2.2:8897]
	// sd/zk:  [192.0.2.1:8897] [192.0.2.1:8897 192.0.2.2:8897] [192.0.2.2:8897]
}

// comeAndGo returns what a client sees while two servers come and the first one goes.
func comeAndGo(open func() (sd.Backend, error)) string {
	ofServers, err := open()
	if err != nil {
		return err.Error()
	}
	defer ofServers.Close()
	ofClient, err := open()
	if err != nil {
		return err.Error()
	}
	defer ofClient.Close()

	first, _ := sd.NewRegistrar(ofServers, "192.0.2.1:8897", kitlog.NewNopLogger())
	second, _ := sd.NewRegistrar(ofServers, "192.0.2.2:8897", kitlog.NewNopLogger())
	first.Register()

	client := sd.NewInstancer(ofClient, kitlog.NewNopLogger())
	defer client.Stop()
	events := make(chan kitsd.Event)
	client.Register(events)
	defer client.Deregister(events)

	seen := []string{fmt.Sprint((<-events).Instances)}
	second.Register()
	seen = append(seen, fmt.Sprint((<-events).Instances))
	first.Deregister()
	seen = append(seen, fmt.Sprint((<-events).Instances))
	second.Deregister()
	return strings.Join(seen, " ")
}
