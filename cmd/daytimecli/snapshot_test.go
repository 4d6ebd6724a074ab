package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd/zk/zkdev"
)

// An outage is a registry that is down, the servers that it knew, and a file that a client has
// left.
type outage struct {
	url, file string
	servers   []string // sorted
	addr      string   // of the registry
}

func newOutage(t *testing.T) outage {
	t.Helper()
	registry, url := shelltest.StartRegistry(t, true)
	o := outage{url, filepath.Join(t.TempDir(), "list.json"), []string{shelltest.Serve(t), shelltest.Serve(t)}, registry.Addr().String()}
	slices.Sort(o.servers)
	shelltest.Enter(t, registry, o.servers...)
	stdout, stderr := try(t, shell.ExitOK, "list", "--sd", url, "--snapshot", o.file)
	if want := o.list(); stdout != want || stderr != "" {
		t.Errorf("want %q, have %q and on stderr %q", want, stdout, stderr)
	}
	registry.Close()
	return o
}

// end starts the registry again.
func (o outage) end(t *testing.T) {
	t.Helper()
	registry, err := zkdev.Start(o.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { registry.Close() })
	shelltest.Enter(t, registry, o.servers...)
}

// list is the output of the command of that name.
func (o outage) list() string { return strings.Join(o.servers, "\n") + "\n" }

// age makes the file as old as d.
func (o outage) age(t *testing.T, d time.Duration) {
	t.Helper()
	text, err := os.ReadFile(o.file)
	if err != nil {
		t.Fatal(err)
	}
	before, after, _ := strings.Cut(string(text), `"written":"`)
	_, after, found := strings.Cut(after, `"`)
	if !found {
		t.Fatalf("want the time of writing in the file, have %s", text)
	}
	written := time.Now().Add(-d).Format(time.RFC3339Nano)
	if err := os.WriteFile(o.file, []byte(before+`"written":"`+written+`"`+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSnapshotIsForTheUserAlone(t *testing.T) {
	info, err := os.Stat(newOutage(t).file)
	if err != nil {
		t.Fatal(err)
	}
	if want := os.FileMode(0o600); want != info.Mode() {
		t.Errorf("want mode %v, have %v", want, info.Mode())
	}
}

// Requests are answered by the servers of the file, and its age is told once. The recovery is told,
// too.
func TestGetWithSnapshot(t *testing.T) {
	o := newOutage(t)
	o.age(t, 192*time.Second)
	p := start(t, "--sd", o.url, "--snapshot", o.file, "-n", "0", "-i", "5ms", "--balance", "roundrobin")
	for _, server := range o.servers {
		p.Stdout.Await(t, server+": ", 3)
	}
	p.Stderr.Await(t, "level=warn", 1)
	p.Stderr.Await(t, `msg="discovery stale: the list is from `+o.file+`, 3m1`, 1)
	p.Stderr.Await(t, "connection refused", 1)
	o.end(t)
	p.Stderr.Await(t, `msg="discovery live" instances=2`, 1)
	p.Interrupt(nil)
	_, stderr := p.Finish(t, shell.ExitOK)
	shelltest.WantText(t, stderr, "answered, 0 failed")
	if want, have := 1, strings.Count(stderr, "stale"); want != have {
		t.Errorf("want it said %d time, have %d:\n%s", want, have, stderr)
	}
}

func TestListWithSnapshot(t *testing.T) {
	o := newOutage(t)
	o.age(t, 26*time.Hour)
	for _, timeout := range []string{"1500ms", "700ms"} {
		stdout, stderr := try(t, shell.ExitFailure, "list", "--sd", o.url, "--snapshot", o.file, "--timeout", timeout)
		if want := o.list(); want != stdout {
			t.Errorf("%s: want %q, have %q", timeout, want, stdout)
		}
		want := `level=error msg="` + o.url + ": no answer; the list is from " + o.file + ", 26h0m"
		if !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: want one line with %q, have %q", timeout, want, stderr)
		}
		shelltest.WantText(t, stderr, "connection refused")
	}
}

func TestWatchWithSnapshot(t *testing.T) {
	o := newOutage(t)
	p := start(t, "watch", "--sd", o.url, "--snapshot", o.file)
	p.Stdout.Await(t, " join ", 2)
	p.Stderr.Await(t, "discovery stale: the list is from "+o.file, 1)
	p.Interrupt(nil)
	stdout, _ := p.Finish(t, shell.ExitOK)
	shelltest.WantText(t, stdout, " join "+o.servers[0]+"\n", " join "+o.servers[1]+"\n")
}

// A file that does not help leaves things as they are without one, and says why.
func TestUselessSnapshot(t *testing.T) {
	for name, test := range map[string]struct {
		spoil  func(file string) error
		reason string
	}{
		"missing":            {os.Remove, ""},
		"writable by others": {func(file string) error { return os.Chmod(file, 0o622) }, "only its owner may write"},
		"something else":     {func(file string) error { return os.WriteFile(file, []byte("noon"), 0o600) }, "invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOutage(t)
			if err := test.spoil(o.file); err != nil {
				t.Fatal(err)
			}
			flags := []string{"--sd", o.url, "--snapshot", o.file, "--timeout", "1500ms"}
			refusals := 0
			if test.reason != "" {
				refusals = 1
			}
			for command, want := range map[string]string{"list": ": cannot be read: ", "get": `msg="discovery unknown"`} {
				args := append([]string{command}, flags...)
				if command == "get" {
					args = append(args, "-n", "1")
				}
				stdout, stderr := try(t, shell.ExitFailure, args...)
				if stdout != "" {
					t.Errorf("%s: want nothing, have %q", command, stdout)
				}
				shelltest.WantText(t, stderr, want, "connection refused", test.reason)
				if have := strings.Count(stderr, `msg="snapshot not used"`); refusals != have {
					t.Errorf("%s: want %d refusals of the file, have %d:\n%s", command, refusals, have, stderr)
				}
			}
		})
	}
}

// While the registry answers, nobody is told of the file, which the run brings up to date.
func TestSnapshotWhileTheRegistryAnswers(t *testing.T) {
	_, url := shelltest.StartRegistry(t, true)
	file := filepath.Join(t.TempDir(), "list.json")
	variables := map[string]string{"DAYTIME_SNAPSHOT": file, "DAYTIME_SD": url}
	lookup := func(name string) (string, bool) { v, ok := variables[name]; return v, ok }
	for range 2 {
		addr := register(t, url, 1)[0]
		stdout, stderr := shelltest.NewConsole(), shelltest.NewConsole()
		if have := run(t.Context(), []string{"-n", "2", "-i", "1ms"}, lookup, stdout, stderr); have != shell.ExitOK {
			t.Errorf("want exit code 0, have %d", have)
		}
		if have := stderr.String(); !strings.HasPrefix(have, "2 requests") {
			t.Errorf("want the summary alone, have %s", have)
		}
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), `"`+addr+`"`) {
			t.Errorf("want %s in the file, have %s, %v", addr, text, err)
		}
	}
}

// A file from the future says nothing of its age, and neither does the command.
func TestSnapshotFromTheFuture(t *testing.T) {
	o := newOutage(t)
	o.age(t, -time.Hour)
	stdout, stderr := try(t, shell.ExitFailure, "list", "--sd", o.url, "--snapshot", o.file)
	if stdout != o.list() || strings.Contains(stderr, "s old") {
		t.Errorf("want the list without an age, have %q and %q", stdout, stderr)
	}
	shelltest.WantText(t, stderr, "the list is from "+o.file+", of unknown age")
}
