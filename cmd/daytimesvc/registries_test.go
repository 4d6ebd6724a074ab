package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/transport/transporttest"
)

// With two registries every address is registered in both, and withdrawn from both.
func TestSeveralRegistries(t *testing.T) {
	one, first := shelltest.StartRegistry(t, false)
	two, second := shelltest.StartRegistry(t, false)
	p := start(t, "--sd", first, "--sd", second, "--drain", "0s",
		"--listen", "127.0.0.1:0,127.0.0.1:0")
	addrs := addresses(t, p, 2)
	shelltest.Registered(t, one, addrs...)
	shelltest.Registered(t, two, addrs...)
	for _, url := range []string{first, second} {
		for _, addr := range addrs {
			p.Stderr.Await(t, fmt.Sprintf("level=info sd=%s instance=%s msg=registered", url, addr), 1)
		}
	}
	two.Expire()
	p.Stderr.Await(t, "level=warn sd="+second+" instance="+addrs[0]+" msg=lost", 1)
	shelltest.Registered(t, two, addrs...)
	p.Interrupt(nil)
	_, stderr := p.Finish(t, shell.ExitOK)
	shelltest.Registered(t, one)
	shelltest.Registered(t, two)
	if strings.Contains(stderr, "level=warn sd="+first+" instance="+addrs[0]+" msg=lost") {
		t.Errorf("want the other registration untouched, have %s", stderr)
	}
}

// The variable holds several, with blanks between.
func TestSeveralRegistriesFromTheEnvironment(t *testing.T) {
	one, first := shelltest.StartRegistry(t, false)
	two, second := shelltest.StartRegistry(t, false)
	inEnvironment := func(
		ctx context.Context, args []string, _ shell.Lookup, stdout, stderr io.Writer,
	) int {
		lookup := func(name string) (string, bool) { return first + "  " + second, name == "DAYTIME_SD" }
		return run(ctx, args, lookup, stdout, stderr)
	}
	p := shelltest.Start(t, inEnvironment, "--listen", "127.0.0.1:0", "--drain", "0s")
	addrs := addresses(t, p, 1)
	shelltest.Registered(t, one, addrs...)
	shelltest.Registered(t, two, addrs...)
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}

// A registry that is away at the start or at the end delays the other by nothing, and the program
// by no more than it would alone; it is registered in when it comes.
func TestOneOfSeveralRegistriesIsAway(t *testing.T) {
	one, first := shelltest.StartRegistry(t, false)
	away := transporttest.FreeAddress(t)
	begin := time.Now()
	p := start(t, "--sd", "zk://"+away, "--sd", first, "--listen", "127.0.0.1:0", "--drain", "0s")
	addrs := addresses(t, p, 1)
	shelltest.Registered(t, one, addrs...)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("want it registered at once, have %v", took)
	}
	p.Stderr.Await(t, `level=warn sd=zk://`+away+` instance=`+addrs[0]+` msg="not registered" err=`, 1)
	two, err := zkdev.Start(away)
	if err != nil {
		t.Fatal(err)
	}
	shelltest.Registered(t, two, addrs...)
	two.Close()
	p.Interrupt(nil)
	_, stderr := p.Finish(t, shell.ExitOK)
	shelltest.Registered(t, one)
	shelltest.WantText(t, stderr,
		"level=info sd="+first+" instance="+addrs[0]+" msg=withdrawn\n", "withdrawal not confirmed")
}
