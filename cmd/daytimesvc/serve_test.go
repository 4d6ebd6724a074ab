package main

import (
	"context"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/transport/transporttest"
)

// addresses returns the addresses of the servers, from the log.
func addresses(t testing.TB, p *shelltest.Program, n int) (addrs []string) {
	t.Helper()
	p.Stderr.Await(t, "msg=serving listen=", n)
	for _, match := range regexp.MustCompile(`msg=serving listen=(\S+)`).FindAllStringSubmatch(p.Stderr.String(), -1) {
		addrs = append(addrs, match[1])
	}
	return addrs
}

func TestLifeOfAFleet(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, false)
	p := start(t, "--sd", url, "--listen", "127.0.0.1:0,127.0.0.1:0,[::1]:0", "--drain", "100ms")
	addrs := addresses(t, p, 3)
	shelltest.Registered(t, registry, addrs...)
	if want, have := 1, len(registry.Sessions()); want != have {
		t.Errorf("want %d session for all servers, have %d", want, have)
	}
	for _, addr := range addrs {
		reply, err := shelltest.Ask(t.Context(), addr)
		if want := addr + ": 20"; !strings.HasPrefix(reply, want) {
			t.Errorf("want %q, have %q, %v", want, reply, err)
		}
	}
	p.Stderr.Await(t, "msg=registered", 3)

	p.Interrupt(io.EOF)
	stdout, stderr := p.Finish(t, shell.ExitOK)
	shelltest.Registered(t, registry)
	if have := len(registry.Sessions()); have != 0 {
		t.Errorf("want no session, have %d", have)
	}
	for _, addr := range addrs {
		if reply, err := shelltest.Ask(t.Context(), addr); err == nil {
			t.Errorf("want nobody at %s, have %q", addr, reply)
		}
	}
	if stdout != "" {
		t.Errorf("want nothing on stdout, have %q", stdout)
	}
	shelltest.WantText(t, stderr, `msg="shutting down" reason=EOF drain=100ms`, "msg=stopped")
	if want, have := 3+3+1+3+1, strings.Count(stderr, "\n"); want != have {
		t.Errorf("want a line for each change, which are %d, have %d:\n%s", want, have, stderr)
	}
}

// A stalling log is a log whose reader has stalled.
type stallingLog struct {
	*shelltest.Console
	stalled chan struct{} // closed when it takes no more
	resumed chan struct{} // closed when it goes on
}

func (l stallingLog) Write(p []byte) (int, error) {
	select {
	case <-l.stalled:
		<-l.resumed
	default:
	}
	return l.Console.Write(p)
}

// The registration is withdrawn even if nobody reads the log any more.
func TestWithdrawalDoesNotWaitForTheLog(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, false)
	log := stallingLog{shelltest.NewConsole(), make(chan struct{}), make(chan struct{})}
	stalled := func(ctx context.Context, args []string, lookup func(string) (string, bool), stdout, _ io.Writer) int {
		return run(ctx, args, lookup, stdout, log)
	}
	p := shelltest.Start(t, stalled, "--sd", url, "--listen", "127.0.0.1:0", "--drain", "0s")
	log.Await(t, "msg=registered", 1)
	close(log.stalled)
	p.Interrupt(nil)
	shelltest.Registered(t, registry)
	close(log.resumed)
	p.Finish(t, shell.ExitOK)
}

// A signal while a name is looked up ends the program before it has begun.
func TestInterruptedBeforeTheStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr strings.Builder
	args := []string{"--sd", "fixed://127.0.0.1:1", "--listen", "localhost:0", "--drain", "0s"}
	if have := run(ctx, args, shelltest.NoVariables, io.Discard, &stderr); have != shell.ExitOK {
		t.Errorf("want exit code 0, have %d: %s", have, stderr.String())
	}
}

// Withdrawn first, and served on meanwhile.
func TestDrain(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, false)
	p := start(t, "--sd", url, "--listen", "127.0.0.1:0", "--drain", "500ms")
	addr := addresses(t, p, 1)[0]
	shelltest.Registered(t, registry, addr)
	p.Interrupt(nil)
	shelltest.Registered(t, registry)
	gone := time.Now()
	if _, err := shelltest.Ask(t.Context(), addr); err != nil {
		t.Errorf("want an answer during the drain, have %v", err)
	}
	p.Finish(t, shell.ExitOK)
	if have := time.Since(gone); have < 400*time.Millisecond {
		t.Errorf("want a drain of 500 ms, have %v", have)
	}
}

func TestAdvertise(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, false)
	p := start(t, "--sd", url, "--listen", "127.0.0.1:0,:0", "--advertise", "192.0.2.1:8897,[2001:db8::1]:8897", "--drain", "0s")
	addrs := addresses(t, p, 2)
	shelltest.Registered(t, registry, "192.0.2.1:8897", "[2001:db8::1]:8897")
	slices.Sort(addrs) // 127.0.0.1 before [::]
	reply, err := shelltest.Ask(t.Context(), addrs[0])
	if want := "192.0.2.1:8897: 20"; !strings.HasPrefix(reply, want) {
		t.Errorf("want the advertised name %q, have %q, %v", want, reply, err)
	}
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}

func TestFormatAndAnonymous(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--format", "rfc3339"}, `^127\.0\.0\.1:\d+: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S+$`},
		{[]string{"--format", "rfc867", "--anonymous"}, `^[A-Z][a-z]+, [A-Z][a-z]+ \d+, \d{4} \d\d:\d\d:\d\d-\S+$`},
	} {
		p := start(t, append(test.args, "--sd", "fixed://127.0.0.1:1", "--listen", "127.0.0.1:0", "--drain", "0s")...)
		reply, err := shelltest.Ask(t.Context(), addresses(t, p, 1)[0])
		if !regexp.MustCompile(test.want).MatchString(reply) {
			t.Errorf("%q: want %s, have %q, %v", test.args, test.want, reply, err)
		}
		p.Interrupt(nil)
		p.Finish(t, shell.ExitOK)
	}
}

func TestMaxConns(t *testing.T) {
	for _, flag := range []string{"--max-conns", "--max-conns-per-ip"} {
		p := start(t, flag, "1", "--sd", "fixed://127.0.0.1:1", "--listen", "127.0.0.1:0", "--drain", "0s")
		addr := addresses(t, p, 1)[0]
		first, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := first.Read(make([]byte, 1)); err != nil { // it is being served, and lingers
			t.Error(err)
		}
		if reply, err := shelltest.Ask(t.Context(), addr); err == nil {
			t.Errorf("%s: want no answer, have %q", flag, reply)
		}
		p.Stderr.Await(t, `level=warn instance=`+addr+` msg="turned away" err=`, 1)
		p.Stderr.Await(t, "1 turned away, limit 1", 1)
		first.Close()
		p.Interrupt(nil)
		p.Finish(t, shell.ExitOK)
	}
}

func TestConnLimit(t *testing.T) {
	for text, want := range map[string]connLimit{"auto": autoConns, "0": 0, "7": 7} {
		l, err := parseConnLimit(text)
		if err != nil || l != want || l.String() != text {
			t.Errorf("want %q, have %v, %v", text, l, err)
		}
	}
	if have := autoConns.of(1000); have < 1 || have > autoConns.of(1) {
		t.Errorf("want a share of the descriptors for each of many servers, have %d", have)
	}
	if have := connLimit(20000).of(3); have != 20000 {
		t.Errorf("want the limit that was asked for, have %d", have)
	}
}

func TestRequestsAreLoggedAtDebugOnly(t *testing.T) {
	for level, want := range map[string]int{"debug": 1, "info": 0} {
		p := start(t, "--log-level", level, "--sd", "fixed://127.0.0.1:1", "--listen", "127.0.0.1:0", "--drain", "0s")
		addr := addresses(t, p, 1)[0]
		if _, err := shelltest.Ask(t.Context(), addr); err != nil {
			t.Error(err)
		}
		p.Interrupt(nil)
		_, stderr := p.Finish(t, shell.ExitOK)
		if have := strings.Count(stderr, `msg=daytime reply="`+addr); want != have {
			t.Errorf("%s: want %d lines for a request, have %d", level, want, have)
		}
	}
}

func TestListenerTaken(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, false)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free := transporttest.FreeAddress(t)
	_, stderr := try(t, shell.ExitFailure, "--sd", url, "--listen", free+","+taken.Addr().String())
	shelltest.WantText(t, stderr, "level=error msg=\"--listen ", taken.Addr().String(), "address already in use")
	if have := registry.Dials(); have != 0 {
		t.Errorf("want the registry left alone, have %d connections", have)
	}
	again, err := net.Listen("tcp", free)
	if err != nil {
		t.Fatalf("want the other listener closed, have %v", err)
	}
	again.Close()
}

func TestRegistryIsDownAtTheStart(t *testing.T) {
	addr := transporttest.FreeAddress(t)
	p := start(t, "--sd", "zk://"+addr, "--listen", "127.0.0.1:0,127.0.0.1:0", "--drain", "0s")
	addrs := addresses(t, p, 2)
	p.Stderr.Await(t, `msg="not registered" err=`, 2)
	if _, err := shelltest.Ask(t.Context(), addrs[0]); err != nil {
		t.Errorf("want an answer without a registry, have %v", err)
	}
	registry, err := zkdev.Start(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	shelltest.Registered(t, registry, addrs...)
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}

func TestRegistryIsDownAtTheEnd(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, false)
	p := start(t, "--sd", url, "--listen", "127.0.0.1:0", "--drain", "0s")
	p.Stderr.Await(t, "msg=registered", 1)
	registry.Close()
	p.Interrupt(nil)
	_, stderr := p.Finish(t, shell.ExitOK)
	shelltest.WantText(t, stderr, "msg=withdrawn err=", "withdrawal not confirmed", "msg=stopped")
}

func TestSessionExpiryAndDeletionAreMended(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, false)
	p := start(t, "--sd", url, "--listen", "127.0.0.1:0,127.0.0.1:0", "--drain", "0s")
	addrs := addresses(t, p, 2)
	p.Stderr.Await(t, "msg=registered", 2)
	registry.Expire()
	p.Stderr.Await(t, "msg=lost err=", 2)
	p.Stderr.Await(t, "msg=registered", 4)
	if err := registry.Delete("/go_servers/" + addrs[0]); err != nil {
		t.Fatal(err)
	}
	p.Stderr.Await(t, "msg=registered", 5)
	shelltest.Registered(t, registry, addrs...)
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}

func TestConflictIsLoggedAndNothingIsTakenAway(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, false)
	if err := registry.Create("/go_servers", nil, 0); err != nil {
		t.Fatal(err)
	}
	addr := transporttest.FreeAddress(t)
	if err := registry.Create("/go_servers/"+addr, []byte("somebody"), 0); err != nil {
		t.Fatal(err)
	}
	p := start(t, "--sd", url, "--listen", addr, "--drain", "0s")
	p.Stderr.Await(t, "instance="+addr+" msg=conflict err=", 1)
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
	shelltest.Registered(t, registry, addr)
}

func TestDev(t *testing.T) {
	addr := transporttest.FreeAddress(t)
	p := start(t, "--dev", "--sd", "zk://"+addr+"/x", "--listen", "127.0.0.1:0", "--drain", "0s")
	p.Stderr.Await(t, "msg=registered", 1)
	p.Stderr.Await(t, "level=warn", 1)
	p.Stderr.Await(t, "not for production", 1)
	p.Stderr.Await(t, "listen="+addr, 1)

	second := start(t, "--dev", "--sd", "zk://"+addr+"/x", "--listen", "127.0.0.1:0")
	_, stderr := second.Finish(t, shell.ExitFailure)
	shelltest.WantText(t, stderr, "level=error msg=\"--dev: ", addr, "address already in use; to use a ZooKeeper that runs there, leave --dev out")

	other := start(t, "--sd", "zk://"+addr+"/x", "--listen", "127.0.0.1:0", "--drain", "0s")
	other.Stderr.Await(t, "msg=registered", 1)
	other.Interrupt(nil)
	other.Finish(t, shell.ExitOK)

	p.Interrupt(nil)
	_, stderr = p.Finish(t, shell.ExitOK)
	shelltest.WantText(t, stderr, "msg=withdrawn\n") // confirmed: the registry ends last
	if l, err := net.Listen("tcp", addr); err != nil {
		t.Errorf("want the port free again, have %v", err)
	} else {
		l.Close()
	}
}
