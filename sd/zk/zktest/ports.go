package zktest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from below every system's ephemeral range (Linux: from 32768). A port from port 0
// would be lent to any outgoing connection while its server is down, even to the client that dials
// it in a loop (TCP connects such a socket to itself), and the restart on the same port would fail.
const (
	firstPort = 10000
	lastPort  = 32000
)

// listenLow listens on a free loopback port from the range above.
func listenLow() (net.Listener, error) {
	var err error
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		var ln net.Listener
		if ln, err = net.Listen("tcp", loopback(port)); err == nil {
			return ln, nil
		}
	}
	return nil, fmt.Errorf("no free port between %d and %d: %w", firstPort, lastPort, err)
}

// freePorts returns n different ports that were free a moment ago. Somebody else can still be
// quicker: who binds them must be ready to try again with others.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		ln, err := listenLow()
		if err != nil {
			return nil, err
		}
		defer ln.Close() // at the return, so that no port comes twice
		ports[i] = ln.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
