package wire_test

import (
	"fmt"
	"io"
	"net"
	"time"

	"example.com/daytime/sd/zk/session/internal/wire"
)

// A web server in place of ZooKeeper, from whose answer go-zookeeper would read a length of 1.2 GB.
func Example() {
	client, server := net.Pipe()
	go io.WriteString(server, "HTTP/1.1 400 Bad Request\r\n\r\n")
	defer server.Close()
	guard := wire.NewGuard(client, time.Second, func(shake wire.Handshake) {
		fmt.Println("handshake:", shake.Err)
	})
	defer guard.Close()
	if _, err := guard.Read(make([]byte, 4)); err != nil {
		fmt.Println("read:", err)
	}
	fmt.Println(wire.Tree.Path("/services"))
	// Output:
	// handshake: bad frame of 1213486160 bytes in place of a connect reply: want a ZooKeeper
	// read: bad frame of 1213486160 bytes in place of a connect reply: want a ZooKeeper
	// /%tree1/services
}
