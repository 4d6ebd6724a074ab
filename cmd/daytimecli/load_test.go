package main

import (
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/transport/transporttest"
)

// With -q a run that fails says why all the same, in a line.
func TestQuietLoadSaysWhyItFailed(t *testing.T) {
	url := "fixed://" + transporttest.FreeAddress(t)
	for _, args := range []string{"-c 2", "-i 0 -o none"} {
		_, stderr := try(t, shell.ExitFailure,
			append(strings.Fields(args), "-n", "4", "-q", "--retries", "0", "--sd", url)...)
		shelltest.WantText(t, stderr, "4 of 4 requests failed: 4 connection refused")
		if strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: want one line, have %s", args, stderr)
		}
	}
	_, stderr := try(t, shell.ExitOK, "-c", "2", "-n", "4", "-q",
		"--sd", "fixed://"+shelltest.Serve(t))
	if stderr != "" {
		t.Errorf("want nothing of a success, have %s", stderr)
	}
}

// A load generator keeps so many requests under way, and prints no reply.
func TestLoad(t *testing.T) {
	var now, most atomic.Int32
	addr := transporttest.Serve(t, func(conn *net.TCPConn) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(5 * time.Millisecond) // longer than four others take to begin
		now.Add(-1)
		transporttest.Reply("noon\n")(conn)
	})
	stdout, stderr := try(t, shell.ExitOK, "--sd", "fixed://"+addr, "-c", "5", "-n", "100")
	if have := most.Load(); have > 5 || have < 2 {
		t.Errorf("want up to 5 requests at a time, have %d", have)
	}
	want := regexp.MustCompile(`^100 requests in \S+: 100 answered, 0 failed; [0-9.]+ a second
latency p50 \S+, p90 \S+, p99 \S+, max \S+
( +≤ \S+ +\d+( +#+)?
)+server `)
	if stdout != "" || !want.MatchString(stderr) {
		t.Errorf("want %v and no reply, have %q and %q", want, stderr, stdout)
	}
	stdout, _ = try(t, shell.ExitOK, "--sd", "fixed://"+addr, "-c", "5", "-n", "10", "-o", "text")
	if want := strings.Repeat("noon\n", 10); stdout != want {
		t.Errorf("want %q, have %q", want, stdout)
	}
}

func TestLoadCountsFailuresByKind(t *testing.T) {
	dead := transporttest.FreeAddress(t)
	_, stderr := try(t, shell.ExitFailure, "--sd", "fixed://"+dead, "-c", "3", "-n", "6", "--retries", "0")
	shelltest.WantText(t, stderr, "0 answered, 6 failed", "\nfailures: 6 connection refused\n")
	for reply, want := range map[string]string{
		"": "no reply", strings.Repeat("n", 300): "reply too long",
	} {
		addr := transporttest.Serve(t, transporttest.Reply(reply))
		_, stderr := try(t, shell.ExitFailure, "--sd", "fixed://"+addr, "-c", "1", "-n", "1", "--retries", "0")
		shelltest.WantText(t, stderr, "\nfailures: 1 "+want+"\n")
	}
	addr := transporttest.Serve(t, transporttest.Silent)
	_, stderr = try(t, shell.ExitFailure, "--sd", "fixed://"+addr, "-n", "1", "--timeout", "100ms")
	shelltest.WantText(t, stderr, "\nfailures: 1 timeout\n")
}

// Requests are started for as long as was asked; those under way are finished.
func TestDuration(t *testing.T) {
	url := "fixed://" + shelltest.Serve(t)
	begin := time.Now()
	_, stderr := try(t, shell.ExitOK, "--sd", url, "-d", "300ms", "-i", "1ms", "-q")
	if have := time.Since(begin); have < 300*time.Millisecond || have > 3*time.Second || stderr != "" {
		t.Errorf("want 300 ms, have %v; stderr %q", have, stderr)
	}
	slow := transporttest.Serve(t, func(conn *net.TCPConn) {
		time.Sleep(1100 * time.Millisecond)
		transporttest.Reply("noon\n")(conn)
	})
	stdout, _ := try(t, shell.ExitOK, "--sd", "fixed://"+slow, "-d", "1s", "-i", "30ms", "-n", "2", "--timeout", "10s")
	if want := "noon\nnoon\n"; want != stdout {
		t.Errorf("want the bound on the number kept, have %q", stdout)
	}
}
