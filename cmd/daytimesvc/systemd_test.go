//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/transport/transporttest"
)

// activate starts daytimesvc as systemd does, with sockets and with args.
func activate(t *testing.T, dir string, sockets []*os.File, args ...string) *shelltest.Process {
	t.Helper()
	script := fmt.Sprintf(`LISTEN_PID=$$ LISTEN_FDS=%d; export LISTEN_PID LISTEN_FDS; exec "$0" "$@"`, len(sockets))
	cmd := exec.Command("sh", append([]string{"-c", script, filepath.Join(dir, "daytimesvc")}, args...)...)
	cmd.ExtraFiles = sockets
	return shelltest.LaunchCommand(t, cmd)
}

// descriptor returns a socket as a process inherits it.
func descriptor(t *testing.T, l interface{ File() (*os.File, error) }) *os.File {
	t.Helper()
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestSystemd(t *testing.T) {
	dir := shelltest.Build(t)
	for name, test := range map[string]func(t *testing.T, dir string){
		"restart": testSocketRestart, "notify": testNotify, "wrong": testWrongSockets,
		"systemd-socket-activate": testSocketActivate,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, dir)
		})
	}
}

// A server is stopped and started again several times under 500 requests a second, with a socket that
// is there all the while: none is refused, and none goes without its answer.
func testSocketRestart(t *testing.T, dir string) {
	l := shelltest.Listen(t).(*net.TCPListener)
	socket, addr := descriptor(t, l), l.Addr().String()
	l.Close() // ours: the test does not accept
	args := []string{"--sd", "fixed://127.0.0.1:1", "--drain", "0s"}
	p := activate(t, dir, []*os.File{socket}, args...)

	var answered, failed atomic.Int64
	var requests sync.WaitGroup
	stop := make(chan struct{})
	requests.Go(func() {
		ticker := time.NewTicker(2 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
			requests.Go(func() {
				if _, err := shelltest.Ask(t.Context(), addr); err != nil {
					failed.Add(1)
					t.Errorf("after %d answers: %v", answered.Load(), err)
				}
				answered.Add(1)
			})
		}
	})
	for range 5 {
		p.Stderr.Await(t, "msg=serving", 1)
		before := answered.Load()
		shelltest.Eventually(t, func() error {
			if have := answered.Load() - before; have < 200 && failed.Load() == 0 {
				return fmt.Errorf("want 200 answers, have %d", have)
			}
			return nil
		})
		p.SignalAndExit(t, syscall.SIGTERM, shell.ExitOK)
		p = activate(t, dir, []*os.File{socket}, args...)
	}
	close(stop)
	requests.Wait()
	t.Logf("%d requests, %d failed", answered.Load(), failed.Load())
}

// systemd hears when the service is ready, which is once it is registered, and when it stops.
func testNotify(t *testing.T, dir string) {
	registry, url := shelltest.StartRegistry(t, false)
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(shelltest.Bound))
	hear := func(want string) {
		t.Helper()
		buf := make([]byte, 100)
		n, err := conn.Read(buf)
		if have := string(buf[:n]); want != have || err != nil {
			t.Errorf("want %q, have %q, %v", want, have, err)
		}
	}
	addr := transporttest.FreeAddress(t)
	cmd := exec.Command(filepath.Join(dir, "daytimesvc"), "--sd", url, "--listen", addr, "--drain", "0s")
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+path)
	p := shelltest.LaunchCommand(t, cmd)
	hear("READY=1")
	if have, err := registry.Children("/go_servers"); err != nil || len(have) != 1 {
		t.Errorf("want %s registered by then, have %q, %v", addr, have, err)
	}
	p.Signal(t, syscall.SIGTERM)
	hear("STOPPING=1")
	p.WantExit(t, shell.ExitOK)
}

func testWrongSockets(t *testing.T, dir string) {
	l := shelltest.Listen(t).(*net.TCPListener)
	defer l.Close()
	unix, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	wildcard, err := net.ListenTCP("tcp", &net.TCPAddr{})
	if err != nil {
		t.Fatal(err)
	}
	defer wildcard.Close()
	datagrams, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	udp := descriptor(t, datagrams.(*net.UDPConn))
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	accepted := descriptor(t, conn.(*net.TCPConn)) // as with Accept=yes
	tcp := descriptor(t, l)
	for _, test := range []struct {
		sockets []*os.File
		args    []string
		want    string
	}{
		{[]*os.File{tcp}, []string{"--listen", "127.0.0.1:1"}, `--listen "127.0.0.1:1": systemd has handed over 1 socket; leave --listen out`},
		{[]*os.File{tcp, descriptor(t, unix)}, nil, "socket 2 of systemd: want one that listens for TCP"},
		{[]*os.File{udp, tcp}, nil, "socket 1 of systemd: want one that listens for TCP"},
		{[]*os.File{accepted}, nil, "socket 1 of systemd: want one that listens for TCP"},
		{[]*os.File{tcp, udp}, []string{"--listen", "127.0.0.1:1"}, "systemd has handed over 2 sockets"},
		{[]*os.File{descriptor(t, wildcard)}, nil, "clients cannot dial a wildcard address"},
		{[]*os.File{tcp}, []string{"--advertise", "192.0.2.1:1,192.0.2.1:2"}, "2; want 1, one for each listen address"},
	} {
		p := activate(t, dir, test.sockets, append(test.args, "--sd", "fixed://127.0.0.1:1")...)
		p.WantExit(t, shell.ExitUsage)
		shelltest.WantText(t, p.Stderr.String(), test.want)
	}
}

// systemd's own tool, which hands over its sockets at the first connection.
func testSocketActivate(t *testing.T, dir string) {
	tool := transporttest.Program(t, "systemd-socket-activate", "systemd")
	addr := transporttest.FreeAddress(t)
	p := shelltest.LaunchCommand(t, exec.Command(tool, "-l", addr, filepath.Join(dir, "daytimesvc"),
		"--sd", "fixed://127.0.0.1:1", "--drain", "0s"))
	p.Stderr.Await(t, "Listening on", 1)
	if reply, err := shelltest.Ask(t.Context(), addr); err != nil {
		t.Errorf("want an answer, have %q, %v; stderr\n%s", reply, err, p.Stderr)
	}
	p.SignalAndExit(t, syscall.SIGTERM, shell.ExitOK)
}
