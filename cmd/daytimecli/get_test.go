package main

import (
	"encoding/json"
	"io"
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

func TestGetText(t *testing.T) {
	_, url := shelltest.StartRegistry(t, true)
	addrs := register(t, url, 3)

	stdout, stderr := try(t, shell.ExitOK, "--sd", url, "-n", "6", "-i", "1ms", "--balance", "roundrobin")
	lines := strings.SplitAfter(strings.TrimSuffix(stdout, "\n"), "\n")
	if want, have := 6, len(lines); want != have {
		t.Errorf("want %d lines, have %d: %q", want, have, stdout)
	}
	for _, addr := range addrs {
		if want, have := 2, strings.Count(stdout, addr+": 20"); want != have {
			t.Errorf("want %d replies of %s, have %d", want, addr, have)
		}
		shelltest.WantText(t, strings.Join(strings.Fields(stderr), " "), addr+" 2 33.3% 0 0 ")
	}
	if want := regexp.MustCompile(`^6 requests in \S+: 6 answered, 0 failed; latency p50 \S+, p99 \S+\nserver +answers +share +failures`); !want.MatchString(stderr) {
		t.Errorf("want %v, have %q", want, stderr)
	}
}

// A server that gives no answer costs no request, in whichever way it does not.
func TestNoAnswerGoesElsewhere(t *testing.T) {
	for name, handle := range map[string]func(*net.TCPConn){
		"echo":                   func(conn *net.TCPConn) { io.Copy(conn, conn) },
		"more than a line holds": transporttest.Reply(strings.Repeat("n", 300)),
		"nothing":                transporttest.Reply(""),
		"an alert, then silence": func(conn *net.TCPConn) {
			conn.Write([]byte{21, 3, 1, 0, 2, 2, 70})
			io.Copy(io.Discard, conn)
		},
	} {
		t.Run(name, func(t *testing.T) {
			list := "fixed://" + shelltest.Serve(t) + "," + transporttest.Serve(t, handle)
			_, stderr := try(t, shell.ExitOK, "--sd", list, "-n", "8", "-i", "0", "--timeout", "6s")
			shelltest.WantText(t, stderr, "8 answered, 0 failed")
		})
	}
}

// An object is a line of result.json.
type object struct {
	Seq      int
	Time     time.Time
	Server   string
	Reply    string
	Error    string
	MS       float64
	Attempts int
	Tries    []struct {
		Server, Error string
		MS            float64
	}
}

func objects(t *testing.T, stdout string) (list []object) {
	t.Helper()
	for line := range strings.Lines(stdout) {
		var o object
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&o); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for _, key := range []string{"seq", "time", "server", "reply", "error", "ms", "attempts", "tries"} {
			shelltest.WantText(t, line, `"`+key+`":`)
		}
		if o.Tries == nil {
			t.Errorf("want a list of tries, have %s", line)
		}
		list = append(list, o)
	}
	return list
}

func TestGetJSON(t *testing.T) {
	addr := shelltest.Serve(t)
	stdout, _ := try(t, shell.ExitOK, "get", "--sd", "fixed://"+addr, "-n", "2", "-i", "0", "-o", "json")
	list := objects(t, stdout)
	if want, have := 2, len(list); want != have {
		t.Fatalf("want %d objects, have %d", want, have)
	}
	for i, o := range list {
		if o.Seq != i+1 || o.Server != addr || o.Attempts != 1 || o.MS <= 0 || o.Error != "" || !strings.HasPrefix(o.Reply, addr+": ") {
			t.Errorf("object %d is %+v", i, o)
		}
	}
}

func TestFailedAttemptIsMadeGoodElsewhere(t *testing.T) {
	dead := transporttest.FreeAddress(t)
	url := "fixed://" + dead + "," + shelltest.Serve(t)
	stdout, stderr := try(t, shell.ExitOK, "--sd", url, "-n", "20", "-i", "0", "-o", "json", "--balance", "roundrobin")
	attempts := 0
	for _, o := range objects(t, stdout) {
		attempts += o.Attempts
		for n, a := range o.Tries {
			failed := n < len(o.Tries)-1
			if failed != (a.Server == dead) || failed != strings.Contains(a.Error, "refused") || !failed && a.Error != "" {
				t.Errorf("want failures of %s, then an answer, have %+v", dead, o.Tries)
			}
		}
	}
	if attempts < 21 {
		t.Errorf("want an attempt at %s, have %d attempts for 20 requests", dead, attempts)
	}
	shelltest.WantText(t, stderr, "20 answered, 0 failed", dead)
}

func TestGetReportsFailures(t *testing.T) {
	dead := transporttest.FreeAddress(t)
	url := "fixed://" + dead
	for _, test := range []struct {
		name           string
		args           []string
		stdout, stderr string
	}{
		{"text", []string{"--retries", "0"}, `^$`, `ts=\S+Z level=error sd=` + url + ` msg="request failed" seq=1 err="[^"]*connection refused"`},
		{"log in json", []string{"--retries", "0", "--log-format", "json"}, `^$`, `"level":"error","msg":"request failed","sd":"fixed`},
		{"json", []string{"-o", "json", "--retries", "2"}, `^{"seq":1,"time":"20[0-9T:.-]+Z","server":"","reply":"","error":"lb: no attempts left; 3 attempts, the last: [^"]*refused","ms":[0-9.]+,"attempts":3,"tries":\[({"server":"` + dead + `","error":"[^"]*refused","ms":[0-9.]+},?){3}\]}\n$`, `(?m)^1 request in`},
		{"till the deadline", []string{"--timeout", "50ms"}, `^$`, `deadline exceeded`},
		{"with a hedge", []string{"--hedge", "--retries", "0"}, `^$`, `connection refused`},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr := try(t, shell.ExitFailure, append([]string{"--sd", url, "-n", "1"}, test.args...)...)
			if !regexp.MustCompile(test.stdout).MatchString(stdout) {
				t.Errorf("want %s, have %s", test.stdout, stdout)
			}
			if !regexp.MustCompile(test.stderr).MatchString(stderr) {
				t.Errorf("want %s, have %s", test.stderr, stderr)
			}
			shelltest.WantText(t, stderr, ": 0 answered, 1 failed\n")
		})
	}
}

func TestHostileReplyIsHarmless(t *testing.T) {
	url := "fixed://" + transporttest.Serve(t, transporttest.Reply("\x1b[31mred\u009b2J\u202e\x7f\xff\r\n"))
	stdout, _ := try(t, shell.ExitOK, "--sd", url, "-n", "1")
	if want := `\x1b[31mred\u009b2J\u202e\x7f\xff` + "\n"; stdout != want {
		t.Errorf("want %q, have %q", want, stdout)
	}
	stdout, _ = try(t, shell.ExitOK, "--sd", url, "-n", "1", "-o", "json")
	shelltest.WantText(t, stdout, `"reply":"\u001b[31mred\u009b2J\u202e\u007f`)
	if want, have := "\x1b[31mred\u009b2J\u202e\x7f\ufffd", objects(t, stdout)[0].Reply; want != have {
		t.Errorf("want %q, have %q", want, have)
	}
}

func TestRequest(t *testing.T) {
	for _, want := range []string{"timestamp", "now?", ""} {
		heard := make(chan string, 1)
		addr := transporttest.Serve(t, func(conn *net.TCPConn) {
			io.WriteString(conn, "noon\n") // the client hangs up after a line
			text, _ := io.ReadAll(conn)
			heard <- string(text)
		})
		stdout, _ := try(t, shell.ExitOK, "--sd", "fixed://"+addr, "-n", "1", "--request", want)
		if have := <-heard; want != have || stdout != "noon\n" {
			t.Errorf("want %q and noon, have %q and %q", want, have, stdout)
		}
	}
}

func TestHashKeyAsksOneServer(t *testing.T) {
	url := "fixed://" + shelltest.Serve(t) + "," + shelltest.Serve(t) + "," + shelltest.Serve(t)
	servers := map[string]bool{}
	stdout, _ := try(t, shell.ExitOK, "--sd", url, "-n", "20", "-i", "0", "-o", "json", "--balance", "hash", "--hash-key", "k")
	for _, o := range objects(t, stdout) {
		servers[o.Server] = true
	}
	if len(servers) != 1 {
		t.Errorf("want one server, have %v", servers)
	}
}

func TestEveryBalancer(t *testing.T) {
	url := "fixed://" + shelltest.Serve(t) + "," + shelltest.Serve(t)
	for _, name := range []string{"random", "roundrobin", "leastloaded", "ewma"} {
		_, stderr := try(t, shell.ExitOK, "--sd", url, "-n", "10", "-i", "0", "--balance", name)
		shelltest.WantText(t, stderr, "10 answered")
	}
}

// A request that hangs delays no other: five of 600 ms each would take 3 s.
func TestSlowRequestsOverlap(t *testing.T) {
	url := "fixed://" + transporttest.Serve(t, transporttest.Silent)
	begin := time.Now()
	try(t, shell.ExitFailure, "--sd", url, "-n", "5", "-i", "10ms", "--timeout", "600ms", "--retries", "0")
	if have := time.Since(begin); have > 2*time.Second {
		t.Errorf("want less than 2 s, have %v", have)
	}
}

func TestIntervalZeroIsOneAtATime(t *testing.T) {
	var now, most atomic.Int32
	url := "fixed://" + transporttest.Serve(t, func(conn *net.TCPConn) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		buf := make([]byte, len("timestamp"))
		io.ReadFull(conn, buf)
		now.Add(-1)
		io.WriteString(conn, "noon\n")
	})
	try(t, shell.ExitOK, "--sd", url, "-n", "50", "-i", "0")
	if most.Load() != 1 {
		t.Errorf("want 1 request at a time, have %d", most.Load())
	}
}

func TestIntervalIsBetweenStarts(t *testing.T) {
	begin := time.Now()
	try(t, shell.ExitOK, "--sd", "fixed://"+shelltest.Serve(t), "-n", "4", "-i", "100ms")
	if have := time.Since(begin); have < 300*time.Millisecond {
		t.Errorf("want 300 ms at least, have %v", have)
	}
}

func TestInterruptEndsWithTheSummary(t *testing.T) {
	p := start(t, "--sd", "fixed://"+shelltest.Serve(t), "-n", "0", "-i", "5ms")
	p.Stdout.Await(t, "\n", 3)
	p.Interrupt(nil)
	_, stderr := p.Finish(t, shell.ExitOK)
	shelltest.WantText(t, stderr, "answered, 0 failed")
}

func TestInterruptCountsWhatFailedBefore(t *testing.T) {
	dead := transporttest.FreeAddress(t)
	p := start(t, "--sd", "fixed://"+dead, "-n", "0", "-i", "5ms", "--retries", "0")
	p.Stderr.Await(t, "request failed", 1)
	p.Interrupt(nil)
	p.Finish(t, shell.ExitFailure)
}

func TestInterruptedRequestIsNoFailure(t *testing.T) {
	hanging := make(chan struct{}, 1)
	p := start(t, "--timeout", "1m", "-n", "1", "--sd", "fixed://"+transporttest.Serve(t, func(conn *net.TCPConn) {
		hanging <- struct{}{}
		transporttest.Silent(conn)
	}))
	<-hanging
	p.Interrupt(nil)
	_, stderr := p.Finish(t, shell.ExitFailure) // nothing was answered
	shelltest.WantText(t, stderr, "1 request in", ": 0 answered, 0 failed, 1 given up\n")
}
