package main

import (
	"encoding/json"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/transport/transporttest"
)

// A check that is interrupted says nothing about the servers.
func TestListCheckInterrupted(t *testing.T) {
	asked := make(chan struct{}, 1)
	addr := transporttest.Serve(t, func(conn *net.TCPConn) {
		select {
		case asked <- struct{}{}:
		default:
		}
		transporttest.Silent(conn)
	})
	for _, output := range []string{"table", "json"} {
		p := start(t, "list", "--check", "--timeout", "1m", "-o", output, "--sd", "fixed://"+addr)
		<-asked
		p.Interrupt(nil)
		stdout, stderr := p.Finish(t, shell.ExitFailure)
		shelltest.WantText(t, stderr, "interrupted")
		if strings.Contains(stdout+stderr, addr+`"`) || strings.Contains(stdout, addr) {
			t.Errorf("want no word about %s, have %s and %s", addr, stdout, stderr)
		}
	}
}

// Each server is asked: whether it answers, how fast, and how wrong its clock is.
func TestListCheck(t *testing.T) {
	good, dead := shelltest.Serve(t), transporttest.FreeAddress(t)
	late := transporttest.Serve(t, transporttest.Reply(time.Now().Add(-90*time.Second).UTC().Format(time.RFC3339)+"\r\n"))
	plain := transporttest.Serve(t, transporttest.Reply("noon\r\n"))
	url := "fixed://" + strings.Join([]string{good, dead, late, plain}, ",")

	stdout, stderr := try(t, shell.ExitFailure, "list", "--check", "--sd", url)
	shelltest.WantText(t, stderr, "no answer from 1 of 4 servers, such as transport: "+dead+": cannot connect: ")
	for _, want := range []string{
		`^server +weight +zone +drained +answers +latency +clock\n`,
		`\n` + good + ` +100 +- +- +yes +\S+s +[+-]\S+s ±\S+s\n`,
		`\n` + dead + ` +100 +- +- +connection refused +- +-\n`,
		`\n` + late + ` +100 +- +- +yes +\S+s +-1m(29|30)\S* ±50\dms\n`,
		`\n` + plain + ` +100 +- +- +yes +\S+s +-\n`,
	} {
		if !regexp.MustCompile(want).MatchString(stdout) {
			t.Errorf("want %s, have\n%s", want, stdout)
		}
	}

	stdout, _ = try(t, shell.ExitFailure, "list", "--check", "--sd", url, "-o", "json")
	for line := range strings.Lines(stdout) {
		var have struct {
			Instance string
			Check    struct {
				Reachable bool
				Error     string
				MS        float64
				Offset    *float64 `json:"offset_ms"`
				Bound     *float64 `json:"offset_bound_ms"`
			}
		}
		if err := json.Unmarshal([]byte(line), &have); err != nil {
			t.Fatal(err)
		}
		k := have.Check
		known := have.Instance == good || have.Instance == late
		if k.Reachable != (have.Instance != dead) || k.Reachable != (k.Error == "") || known != (k.Offset != nil) {
			t.Errorf("have %s", line)
		}
		if have.Instance == good && (*k.Offset < -*k.Bound || *k.Offset > *k.Bound) {
			t.Errorf("want our own clock within its bound, have %s", line)
		}
	}
}
