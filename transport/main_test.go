package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"
	"go.uber.org/goleak"

	"example.com/daytime/endpoint"
	"example.com/daytime/service"
	"example.com/daytime/transport"
)

// childEnv tells the test binary to be a server in a process of its own, and which one.
const (
	childEnv   = "DAYTIME_TEST_CHILD"
	childOurs  = "ours"
	childIdle  = "idle" // ours, and connections stay for a minute
	childNaive = "naive"
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(childEnv); kind != "" {
		serveAsChild(kind)
		return
	}
	goleak.VerifyTestMain(m)
}

// startChild runs serveAsChild in a process of its own, by way of a command that ends in exec, if
// there is one. Its log is complete when stop returns.
func startChild(
	t testing.TB, kind string, by ...string,
) (pid int, addr string, stop func() (log string)) {
	t.Helper()
	by = append(by, os.Args[0])
	cmd := exec.Command(by[0], by[1:]...)
	cmd.Env = append(os.Environ(), childEnv+"="+kind)
	var log bytes.Buffer
	cmd.Stderr = &log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() string { stdin.Close(); cmd.Wait(); return log.String() }
	t.Cleanup(func() { stop() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, strings.TrimSpace(line), stop
}

// serveAsChild prints its address and serves until its standard input ends.
func serveAsChild(kind string) {
	l, err := transport.Listen(context.Background(), "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	switch kind {
	case childNaive:
		go serveNaively(l)
	case childIdle:
		go childServer(l, transport.Linger(time.Minute)).Serve(l)
	default:
		go childServer(l).Serve(l)
	}
	fmt.Println(l.Addr())
	bufio.NewReader(os.Stdin).ReadByte()
}

// childServer is the daytime server as a program makes it, with its log on stderr.
func childServer(l net.Listener, options ...transport.ServerOption) *transport.Server {
	logger := kitlog.NewLogfmtLogger(os.Stderr)
	return transport.NewDaytimeServer(endpoint.New(service.New(l.Addr().String())), logger, options...)
}

// serveNaively is the plainest server.
func serveNaively(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			line := time.Now().AppendFormat([]byte(l.Addr().String()), ": "+time.RFC3339Nano+"\r\n")
			answerNaively(conn, line)
		}()
	}
}
