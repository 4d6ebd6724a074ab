package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/transport/transporttest"
)

// A list of two registries has each server once, and tells which of them knows it.
func TestListOfSeveralRegistries(t *testing.T) {
	one, first := shelltest.StartRegistry(t, true)
	two, second := shelltest.StartRegistry(t, true)
	shelltest.Enter(t, one, "192.0.2.1:1", "192.0.2.2:2")
	shelltest.Enter(t, two, "192.0.2.3:3", "192.0.2.2:2")
	stdout, stderr := try(t, shell.ExitOK, "list", "--sd", first, "--sd", second)
	if want := "192.0.2.1:1\n192.0.2.2:2\n192.0.2.3:3\n"; stdout != want || stderr != "" {
		t.Errorf("want %q, have %q and %q", want, stdout, stderr)
	}
	stdout, _ = try(t, shell.ExitOK, "list", "--sd", first+" "+second, "-o", "json")
	lines := strings.Split(stdout, "\n")
	for i, want := range []string{`"registries":["` + first + `"]}`,
		`"registries":["` + first + `","` + second + `"]}`, `"registries":["` + second + `"]}`} {
		if !strings.HasSuffix(lines[i], want) {
			t.Errorf("want %s, have %s", want, lines[i])
		}
	}
	stdout, _ = try(t, shell.ExitOK, "list", "--sd", first, "--sd", second, "-o", "wide")
	shelltest.WantText(t, stdout, "registries", first+" "+second)
	stdout, _ = try(t, shell.ExitOK, "list", "--sd", first, "-o", "json")
	if strings.Contains(stdout, "registries") {
		t.Errorf("want nothing about the only registry, have %s", stdout)
	}
}

// A policy that drains all of one registry is obeyed while the other has servers, and no list warns
// of it.
func TestListOfADrainedRegistry(t *testing.T) {
	one, two := startFleet(t, 2), startFleet(t, 3)
	one.write(t, policy.Header+"\ndrain *\n")
	for range 10 {
		if _, stderr := try(t, shell.ExitOK, "list", "--sd", one.url, "--sd", two.url); stderr != "" {
			t.Fatalf("want no warning, have %s", stderr)
		}
	}
	two.write(t, policy.Header+"\ndrain *\n")
	_, stderr := try(t, shell.ExitOK, "list", "--sd", one.url, "--sd", two.url)
	shelltest.WantText(t, stderr, "level=warn", "every instance is drained, so drained ones are picked")
}

// A registry of several that is down is told, its part is missing, and that is no success.
func TestListWhileOneOfSeveralRegistriesIsDown(t *testing.T) {
	one, first := shelltest.StartRegistry(t, true)
	shelltest.Enter(t, one, "192.0.2.1:1")
	down := "zk://" + transporttest.FreeAddress(t)
	stdout, stderr := try(t, shell.ExitFailure,
		"list", "--sd", down, "--sd", first, "--timeout", "1500ms")
	if want := "192.0.2.1:1\n"; stdout != want {
		t.Errorf("want %q, have %q", want, stdout)
	}
	shelltest.WantText(t, stderr, down+": cannot be read: ", "refused")
	if strings.Contains(stderr, first) {
		t.Errorf("want the other one not named, have %s", stderr)
	}
}

// Requests go on over one registry while the other is away from the start.
func TestGetFromSeveralRegistries(t *testing.T) {
	_, first := shelltest.StartRegistry(t, true)
	register(t, first, 2)
	down := "zk://" + transporttest.FreeAddress(t)
	_, stderr := try(t, shell.ExitOK, "get", "--sd", down, "--sd", first, "-n", "5", "-i", "1ms")
	shelltest.WantText(t, stderr, "5 answered, 0 failed")
}

// Who is in both registries joins once, and leaves when it has left both.
func TestWatchSeveralRegistries(t *testing.T) {
	one, first := shelltest.StartRegistry(t, true)
	two, second := shelltest.StartRegistry(t, true)
	shelltest.Enter(t, one, "192.0.2.1:1")
	shelltest.Enter(t, two, "192.0.2.1:1")
	p := start(t, "watch", "--sd", first, "--sd", second)
	p.Stdout.Await(t, "join 192.0.2.1:1", 1)
	if err := one.Delete("/go_servers/192.0.2.1:1"); err != nil {
		t.Fatal(err)
	}
	shelltest.Enter(t, one, "192.0.2.2:2")
	p.Stdout.Await(t, "join 192.0.2.2:2", 1)
	if err := two.Delete("/go_servers/192.0.2.1:1"); err != nil {
		t.Fatal(err)
	}
	p.Stdout.Await(t, "leave 192.0.2.1:1", 1)
	p.Interrupt(nil)
	stdout, _ := p.Finish(t, shell.ExitOK)
	if have := strings.Count(stdout, "192.0.2.1:1"); have != 2 {
		t.Errorf("want it to join and to leave once, have\n%s", stdout)
	}
}

// That nobody is there is told, and that this is over, of several registries as of one.
func TestWatchTellsWhenNobodyIsThereInSeveralRegistries(t *testing.T) {
	one, first := shelltest.StartRegistry(t, true)
	_, second := shelltest.StartRegistry(t, true)
	p := start(t, "watch", "--sd", first, "--sd", second)
	p.Stderr.Await(t, `level=warn sd="`+first+" "+second+`" msg="nobody is registered"`, 1)
	shelltest.Enter(t, one, "192.0.2.1:1")
	p.Stderr.Await(t, `level=info sd="`+first+" "+second+`" msg="somebody is registered"`, 1)
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}

// A registry without an answer is told once the time for it has passed.
func TestWatchTellsWhichRegistryHasNoDirectory(t *testing.T) {
	_, first := shelltest.StartRegistry(t, true)
	_, second := shelltest.StartRegistry(t, false)
	p := start(t, "watch", "--sd", first, "--sd", second, "--timeout", "1s")
	p.Stderr.Await(t, "level=warn sd="+second+` msg="there is no directory`, 1)
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}

// A command writes to each registry that has a policy and answers, and names each result.
func TestSteerSeveralRegistries(t *testing.T) {
	one, two := startFleet(t, 3), startFleet(t, 3)
	drain := []string{"drain", "192.0.2.1", "--by", "me", "--sd", one.url, "--sd", two.url}
	stdout, _ := try(t, shell.ExitOK, drain...)
	shelltest.WantText(t, stdout, "registry   "+one.url+"\n", "registry   "+two.url+"\n")
	for _, f := range []fleet{one, two} {
		f.wantPolicy(t, "drain 192.0.2.1 by=me")
	}

	one.write(t, policy.Header+"\ndrain 192.0.2.2 by=me\n")
	stdout, stderr := try(t, shell.ExitFailure, drain...)
	shelltest.WantText(t, stdout, "registry   "+two.url+"\nnothing to change\n")
	shelltest.WantText(t, stderr, one.url+": refused: this leaves 33.3% of the weight")
	one.wantPolicy(t, "drain 192.0.2.2 by=me")

	down := "zk://" + transporttest.FreeAddress(t)
	stdout, stderr = try(t, shell.ExitFailure,
		"undrain", "192.0.2.1", "--sd", down, "--sd", two.url, "--timeout", "1500ms")
	shelltest.WantText(t, stdout, "registry   "+two.url+"\n", "192.0.2.1")
	shelltest.WantText(t, stderr, down+": cannot be read: ")
	two.wantPolicy(t)

	_, stderr = try(t, shell.ExitOK, "weight", "192.0.2.1", "50", "--by", "me",
		"--sd", "fixed://192.0.2.1:8897", "--sd", two.url)
	shelltest.WantText(t, stderr, "sd=fixed://192.0.2.1:8897", "left out: this registry has no policy")
	two.wantPolicy(t, "weight 192.0.2.1 50 by=me")
}

// Each registry has a policy of its own, so what is about one policy is about one registry.
func TestPolicyOfSeveralRegistries(t *testing.T) {
	one, two := startFleet(t, 1), startFleet(t, 1)
	for _, args := range []string{"policy get", "policy edit"} {
		_, stderr := try(t, shell.ExitUsage,
			append(strings.Fields(args), "--sd", one.url, "--sd", two.url)...)
		shelltest.WantText(t, stderr,
			"each registry has a policy of its own; want one --sd, such as --sd "+one.url)
	}
	file := filepath.Join(t.TempDir(), "policy")
	for text, want := range map[string]int{
		policy.Header + "\nweight * 50\n":             shell.ExitOK,
		policy.Header + "\n#version 3\nweight * 50\n": shell.ExitUsage,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		try(t, want, "policy", "apply", file, "--sd", one.url, "--sd", two.url)
	}
	for _, f := range []fleet{one, two} {
		f.wantPolicy(t, "weight * 50")
	}
}

func TestExplainSeveralRegistries(t *testing.T) {
	one, two := startFleet(t, 1), startFleet(t, 1)
	one.write(t, policy.Header+"\nweight * 50\n")
	two.write(t, policy.Header+"\ndrain * by=ops\n")
	stdout, _ := try(t, shell.ExitOK, "explain", "192.0.2.1:8897", "--sd", one.url, "--sd", two.url)
	shelltest.WantText(t, stdout,
		"registry   "+one.url+"\ninstance   192.0.2.1:8897\n", "weight     50\n",
		"registry   "+two.url+"\ninstance   192.0.2.1:8897\n", "drained    yes\n",
		"together   weight 50, zone a, drained\n")
}

// A file is not written before every registry has answered: it would be without the servers of one.
func TestExportOfSeveralRegistries(t *testing.T) {
	one, first := shelltest.StartRegistry(t, true)
	shelltest.Enter(t, one, "192.0.2.1:1")
	away := transporttest.FreeAddress(t)
	second := "zk://" + away + "/go_servers"
	file := filepath.Join(t.TempDir(), "out")
	args := []string{"export", "prometheus", "--sd", first, "--sd", second, "-f", file}
	_, stderr := try(t, shell.ExitFailure, append(args, "--timeout", "1500ms")...)
	shelltest.WantText(t, stderr, second+": cannot be read", "nothing is written")
	p := start(t, append(args, "--watch", "--log-level", "info")...)
	p.Stderr.Await(t, "level=warn sd="+second+` msg="discovery unknown`, 1)
	time.Sleep(1200 * time.Millisecond) // longer than a union waits
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("want no file yet, have %v", err)
	}
	two, err := zkdev.Start(away)
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	shelltest.Enter(t, two)
	p.Stderr.Await(t, "msg=written", 1)
	if have, err := os.ReadFile(file); string(have) != targetsOf("192.0.2.1:1") || err != nil {
		t.Errorf("want the servers of both, have %s, %v", have, err)
	}
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}

// Each registry has a file of its own, and a start without any begins with all of them.
func TestSnapshotsOfSeveralRegistries(t *testing.T) {
	a, b := newOutage(t), newOutage(t)
	args := []string{"list", "--sd", a.url, "--sd", b.url,
		"--snapshot", a.file, "--snapshot", b.file, "--timeout", "1500ms"}
	stdout, stderr := try(t, shell.ExitFailure, args...)
	for _, o := range []outage{a, b} {
		shelltest.WantText(t, stdout, o.servers...)
		shelltest.WantText(t, stderr, o.url+": no answer; the list is from "+o.file)
	}
	a.end(t)
	_, stderr = try(t, shell.ExitFailure, args...)
	if strings.Contains(stderr, a.file) {
		t.Errorf("want the one that answers not named, have %s", stderr)
	}
	stdout, stderr = try(t, shell.ExitOK, "get", "--sd", a.url, "--sd", b.url,
		"--snapshot", a.file, "--snapshot", b.file, "-n", "40", "-i", "1ms", "--balance", "roundrobin")
	shelltest.WantText(t, stdout, append(a.servers, b.servers...)...)
	shelltest.WantText(t, stderr, "sd="+b.url, "the list is from "+b.file)

	other, link := filepath.Dir(a.file)+"/./new", filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(a.file, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text  string
		files []string
	}{
		{"1 file; want 2, one for each --sd, in the same order", []string{a.file}},
		{"3 files; want 2, one for each --sd", []string{a.file, b.file, "c"}},
		{"want another file for each --sd", []string{a.file, a.file}},
		{"want another file for each --sd", []string{a.file, link}},
		{"want another file for each --sd", []string{filepath.Clean(other), other}},
	} {
		wrong := []string{"list", "--sd", a.url, "--sd", b.url}
		for _, file := range c.files {
			wrong = append(wrong, "--snapshot", file)
		}
		_, stderr := try(t, shell.ExitUsage, wrong...)
		shelltest.WantText(t, stderr, c.text)
	}
}

// The union waits for a registry that is silent no longer than a second.
func TestSeveralRegistriesBeginInASecond(t *testing.T) {
	_, first := shelltest.StartRegistry(t, true)
	register(t, first, 1)
	silent := shelltest.Listen(t) // takes connections, and answers nobody
	defer silent.Close()
	begin := time.Now()
	p := start(t, "get", "--sd", "zk://"+silent.Addr().String(), "--sd", first, "-n", "1")
	p.Stdout.Await(t, "\n", 1)
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("want an answer soon after 1 s, have %v", took)
	}
	p.Exit(t)
}

// A registry without a policy has none that could be read.
func TestExplainWithoutAPolicy(t *testing.T) {
	for _, args := range [][]string{nil, {"--log-level", "info"}} {
		_, stderr := try(t, shell.ExitOK, append(args, "explain", "192.0.2.1:8897", "--sd",
			"fixed://192.0.2.1:8897")...)
		if strings.Contains(stderr, "could be read") || strings.Contains(stderr, "level=warn") {
			t.Errorf("%q: want no warning, have %q", args, stderr)
		}
		if args != nil {
			shelltest.WantText(t, stderr, "level=info", "this registry has no policy")
		}
	}
}
