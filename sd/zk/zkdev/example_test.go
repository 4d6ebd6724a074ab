package zkdev_test

import (
	"context"
	"fmt"
	"net"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/sd/zk/zkdev"
)

type silence struct{}

func (silence) Printf(string, ...any) {}

// A registry for a test: the client connects through memory, and the server does on command what a
// real one does once a month.
func Example() {
	server := zkdev.New(zkdev.TickTime(100 * time.Millisecond))
	defer server.Close()

	dial := func(network, addr string, _ time.Duration) (net.Conn, error) {
		return server.Dial(context.Background(), network, addr)
	}
	client, events, err := gozk.Connect([]string{"127.0.0.1:2181"}, time.Second,
		gozk.WithDialer(dial), gozk.WithLogger(silence{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	client.Create("/go_servers", nil, 0, gozk.WorldACL(gozk.PermAll))
	client.Create("/go_servers/127.0.0.1:8897", nil, gozk.FlagEphemeral,
		gozk.WorldACL(gozk.PermAll))
	names, stat, _ := client.Children("/go_servers")
	fmt.Println(names, "cversion", stat.Cversion)

	server.HoldEphemerals() // the session is over, and nobody has noticed yet
	server.Expire(client.SessionID())
	names, _ = server.Children("/go_servers")
	fmt.Println(names, "sessions", len(server.Sessions()))

	server.ReleaseEphemerals()
	names, _ = server.Children("/go_servers")
	fmt.Println(names)

	client.Close()
	for range events {
	}
	// Output:
	// [127.0.0.1:8897] cversion 1
	// [127.0.0.1:8897] sessions 0
	// []
}

// A registry for a developer, which any ZooKeeper client can reach.
func ExampleStart() {
	server, err := zkdev.Start("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	nc, _ := net.Dial("tcp", server.Addr().String())
	defer nc.Close()
	nc.Write([]byte("ruok"))
	answer := make([]byte, 4)
	nc.Read(answer)
	fmt.Printf("%s\n", answer)
	// Output: imok
}
