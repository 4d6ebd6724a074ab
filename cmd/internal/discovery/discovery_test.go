package discovery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"
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
		Schemes: schemes, Stdio: stdio, Logger: kitlog.NewNopLogger(), Timeout: time.Second})
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
		o.Schemes, o.Stdio, o.Logger = schemes, stdio, kitlog.NewNopLogger()
		if d, err := Open(o); err == nil {
			d.Close()
			t.Errorf("%v: want an error", o.URLs)
		}
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
		Stdio: shell.NewStdio(t.Context(), os.Stdout, os.Stderr, "error"), Logger: kitlog.NewNopLogger(), Muted: true})
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
