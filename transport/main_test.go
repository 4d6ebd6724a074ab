package transport_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"
	"go.uber.org/goleak"

	"example.com/daytime/endpoint"
	"example.com/daytime/service"
	"example.com/daytime/transport"
)

// childEnv tells the test binary to be the server of TestNoDescriptorsLeft.
const childEnv = "DAYTIME_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		serveAsChild()
		return
	}
	goleak.VerifyTestMain(m)
}

// serveAsChild prints its address and serves until its standard input ends.
func serveAsChild() {
	l, err := transport.Listen(context.Background(), "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	logger := kitlog.NewLogfmtLogger(os.Stderr)
	set := endpoint.New(service.New("child"))
	server := transport.NewDaytimeServer(set, logger, transport.Linger(time.Minute))
	go server.Serve(l)
	fmt.Println(l.Addr())
	bufio.NewReader(os.Stdin).ReadByte()
}
