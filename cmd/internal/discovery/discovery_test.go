package discovery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func schemes(string) sd.Schemes { return sd.Schemes{"fixed": sd.OpenFixed} }

// The list of several registries is their union.
func Example() {
	stdio := shell.NewStdio(context.Background(), os.Stdout, os.Stderr, "warn")
	d, err := Open(Options{URLs: []string{"fixed://192.0.2.1:8897", "fixed://192.0.2.2:8897"},
		Schemes: schemes, Stdio: stdio, Timeout: time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	fmt.Println(d.Settle(context.Background(), time.Second))
	for _, row := range d.Rows() {
		fmt.Println(row.Instance)
	}
	// Output:
	// <nil>
	// 192.0.2.1:8897
	// 192.0.2.2:8897
}

// What is wrong with a command is told before anything waits.
func TestOpenRefuses(t *testing.T) {
	stdio := shell.NewStdio(t.Context(), os.Stdout, os.Stderr, "warn")
	for _, o := range []Options{
		{URLs: []string{"consul://192.0.2.1"}},
		{URLs: []string{"fixed://192.0.2.1:1"}, Snapshots: []string{"list"}},
		{URLs: []string{"fixed://192.0.2.1:1"}, Snapshots: []string{"a", "b"}},
	} {
		o.Schemes, o.Stdio = schemes, stdio
		if d, err := Open(o); err == nil {
			d.Close()
			t.Errorf("%v: want an error", o.URLs)
		}
	}
}

// Of two registries one has a snapshot: what became of the other is told as well.
func TestBeginTellsOfEachRegistry(t *testing.T) {
	well, ill := mem.NewRegistry(), mem.NewRegistry()
	well.Put("192.0.2.1:1")
	ill.Fail(errors.New("out of order"))
	memory := func(string) sd.Schemes {
		return sd.Schemes{"mem": func(target sd.Target) (sd.Backend, error) {
			return map[string]*mem.Registry{"well": well, "ill": ill}[target.Hosts[0].Name].Open(), nil
		}}
	}
	var stderr strings.Builder
	stdio := shell.NewStdio(t.Context(), os.Stdout, &stderr, "warn")
	d, err := Open(Options{URLs: []string{"mem://well/a", "mem://ill/a"}, Schemes: memory, Timeout: time.Minute,
		Snapshots: []string{t.TempDir() + "/list", ""}, Stdio: stdio, Muted: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for deadline := time.Now().Add(10 * time.Second); d.Parts[1].State().Err == nil; {
		if time.Sleep(time.Millisecond); time.Now().After(deadline) {
			t.Fatal("want an error of the registry that is ill")
		}
	}
	d.Begin(t.Context())
	stdio.Flush()
	if have := stderr.String(); !strings.Contains(have, "out of order") || strings.Contains(have, "well") {
		t.Errorf("want the registry that is ill told, and no other, have %q", have)
	}
}

// A registry that says nothing, or fails, is named in the error of a list that nobody knows.
func TestSettleNamesWhoIsSilent(t *testing.T) {
	registry := mem.NewRegistry()
	registry.Fail(errors.New("down"))
	memory := func(string) sd.Schemes {
		return sd.Schemes{"mem": func(sd.Target) (sd.Backend, error) { return registry.Open(), nil }}
	}
	d, err := Open(Options{URLs: []string{"mem://here/svc"}, Schemes: memory, Timeout: time.Second,
		Stdio: shell.NewStdio(t.Context(), os.Stdout, os.Stderr, "error"), Muted: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Settle(t.Context(), 50*time.Millisecond); err == nil || !strings.Contains(err.Error(), "mem://here/svc") {
		t.Errorf("want the registry named, have %v", err)
	}
	if instances, shared := Live(t.Context(), []string{"fixed://192.0.2.1:1"}, schemes); len(instances) != 1 || shared != nil {
		t.Errorf("have %q, %q", instances, shared)
	}
}
