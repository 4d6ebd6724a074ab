//go:build linux

package main

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/transport/transporttest"
)

// The built programs, with the registry of --dev: a drained server is called no more 200 ms after
// the command has returned, and no request fails; one that is withdrawn leaves, and serves on.
func TestSteerAFleet(t *testing.T) {
	dir := shelltest.Build(t)
	addrs := transporttest.FreeAddresses(t, 4)
	registry, first, second, third := "zk://"+addrs[0]+"/go_servers", addrs[1], addrs[2], addrs[3]
	svc := shelltest.Launch(t, dir, "daytimesvc", "--dev", "--sd", registry, "--listen", first, "--drain", "0",
		"--weight", "200", "--zone", "a", "--tag", "version=2")
	svc.Stderr.Await(t, "msg=registered", 1)
	others := shelltest.Launch(t, dir, "daytimesvc", "--sd", registry, "--listen", second+","+third, "--drain", "0")
	others.Stderr.Await(t, "msg=registered", 2)
	cli := func(args string) (stdout string) {
		t.Helper()
		p := shelltest.Launch(t, dir, "daytimecli", append(strings.Fields(args), "--sd", registry)...)
		p.WantExit(t, shell.ExitOK)
		return p.Stdout.String()
	}
	shelltest.WantText(t, cli("explain "+first), "own        weight 200, zone a, version=2, since ")

	client := shelltest.Launch(t, dir, "daytimecli", "-n", "0", "-i", "1ms", "--sd", registry)
	client.Stdout.Await(t, first+": ", 10)
	for try := 1; ; try++ { // a machine that is busy for so long delays a client
		shelltest.WantText(t, cli("drain version=2 --by ops"), "affects 1 of 3 instances, which get 50.0% of the calls")
		time.Sleep(200 * time.Millisecond) // the time that a client has to follow
		before := client.Stdout.String()
		client.Stdout.Await(t, second+": ", strings.Count(before, second+": ")+50)
		called := strings.Count(client.Stdout.String(), first+": ") - strings.Count(before, first+": ")
		cli("undrain version=2")
		client.Stdout.Await(t, first+": ", strings.Count(before, first+": ")+called+10)
		if called == 0 {
			break
		}
		if try == 3 {
			t.Errorf("want no call of the drained server, have %d", called)
			break
		}
	}

	cli("withdraw " + second + " --by ops")
	others.Stderr.Await(t, "msg=withheld", 1)
	if have := cli("list"); strings.Contains(have, second) || strings.Count(have, "\n") != 2 {
		t.Errorf("want two servers without %s, have\n%s", second, have)
	}
	if conn, err := net.Dial("tcp", second); err != nil {
		t.Errorf("want it to serve on, have %v", err)
	} else {
		conn.Close()
	}
	cli("undrain " + second)
	others.Stderr.Await(t, "msg=registered", 3)
	client.SignalAndExit(t, syscall.SIGINT, shell.ExitOK)
	client.Stderr.Await(t, "answered, 0 failed", 1)
	others.SignalAndExit(t, syscall.SIGTERM, shell.ExitOK)
	svc.SignalAndExit(t, syscall.SIGTERM, shell.ExitOK)
}
