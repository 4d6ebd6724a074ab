package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/cmd/internal/statelog"
	"example.com/daytime/sd/policy"
	"example.com/daytime/transport/transporttest"
)

func TestList(t *testing.T) {
	_, url := shelltest.StartRegistry(t, true)
	addrs := register(t, url, 3)
	slices.Sort(addrs)
	stdout, stderr := try(t, shell.ExitOK, "list", "--sd", url)
	if want := strings.Join(addrs, "\n") + "\n"; stdout != want || stderr != "" {
		t.Errorf("want %q, have %q and on stderr %q", want, stdout, stderr)
	}
}

func TestListOfNobody(t *testing.T) {
	_, url := shelltest.StartRegistry(t, true)
	stdout, stderr := try(t, shell.ExitOK, "list", "--sd", url)
	if stdout != "" {
		t.Errorf("want nothing, have %q", stdout)
	}
	shelltest.WantText(t, stderr, "level=warn", "sd="+url+` msg="nobody is registered"`)
}

// A list tells of a policy that is not obeyed as it stands: its column alone would say drained.
func TestListWarnsOfThePolicy(t *testing.T) {
	f := startFleet(t, 2)
	for document, want := range map[string]string{
		"drain *\n":    `msg="every instance is drained, so drained ones are picked"`,
		"drian zone=a": `msg="line of the policy left out" err="policy: line 2, column 1: `,
		"\xff":         `msg="policy not followed"`,
	} {
		f.write(t, policy.Header+"\n"+document)
		stdout, stderr := f.try(t, shell.ExitOK, "list")
		if want := "192.0.2.1:8897\n192.0.2.2:8897\n"; stdout != want {
			t.Errorf("want %q, have %q", want, stdout)
		}
		shelltest.WantText(t, stderr, "level=warn", want)
		wantOutput(t, 1, strings.Count(stderr, "\n")) // once is enough
	}
}

// Names that cannot be dialled are counted and three of them shown; a list of nothing else is no
// success.
func TestListOfStrangers(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, true)
	shelltest.Enter(t, registry, "d", "lock-0000000001", "b:http", "192.0.2.1:08", "a")
	stdout, stderr := try(t, shell.ExitFailure, "list", "--sd", url)
	want := `nobody is registered: left out 5 names that cannot be dialled: \"192.0.2.1:08\", \"a\", \"b:http\" and 2 more"`
	if stdout != "" || strings.Count(stderr, "\n") != 1 {
		t.Errorf("want one line on stderr, have %q and %q", stdout, stderr)
	}
	shelltest.WantText(t, stderr, "level=error", want)

	shelltest.Enter(t, registry, "192.0.2.1:8")
	stdout, stderr = try(t, shell.ExitOK, "list", "--sd", url)
	if want := "192.0.2.1:8\n"; stdout != want || strings.Count(stderr, "\n") != 1 {
		t.Errorf("want %q and one line on stderr, have %q and %q", want, stdout, stderr)
	}
	shelltest.WantText(t, stderr, "level=warn", `msg="left out 5 names`)
}

// Of a node of another system that cannot be read the reason is shown as well.
func TestListOfUnreadableNodes(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, true)
	shelltest.Enter(t, registry, "tri%3A%2F%2Ftime.example.com%3A20000%2Forg.example.Time%3Fanyhost%3Dtrue")
	_, stderr := try(t, shell.ExitFailure, "list", "--sd", url+"?layout=dubbo")
	shelltest.WantText(t, stderr, "left out 1 name", "tri%3A%2F%2Ftime.example.com",
		`time.example.com\\\": want an IP address`)
}

func TestListWithoutAnAnswer(t *testing.T) {
	_, missing := shelltest.StartRegistry(t, false)
	silence := "zk://" + transporttest.Serve(t, transporttest.Silent)
	dead := transporttest.FreeAddress(t)
	for _, test := range []struct{ name, url, timeout, want string }{
		{"no directory", missing, "700ms", "there is no directory /go_servers in the ZooKeeper at 127.0.0.1:"},
		{"silence", silence, "100ms", "no session"},
		{"nothing there", "zk://" + dead, "1200ms", "connection refused"},
		{"nothing there, and no time", "zk://" + dead, "500ms", "connection refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr := try(t, shell.ExitFailure, "list", "--sd", test.url, "--timeout", test.timeout)
			if stdout != "" || strings.Count(stderr, "\n") != 1 {
				t.Errorf("want one line on stderr, have %q and %q", stdout, stderr)
			}
			shelltest.WantText(t, stderr, `level=error msg="`+test.url+": ", test.want)
		})
	}
}

func TestWatch(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, true)
	addrs := register(t, url, 2)
	p := start(t, "watch", "--sd", url)
	p.Stdout.Await(t, " join ", 2)
	if err := registry.Create("/go_servers/192.0.2.1:1", nil, 0); err != nil {
		t.Fatal(err)
	}
	p.Stdout.Await(t, " join ", 3)
	if err := registry.Delete("/go_servers/192.0.2.1:1"); err != nil {
		t.Fatal(err)
	}
	p.Stdout.Await(t, " leave ", 1)
	p.Interrupt(nil)
	stdout, stderr := p.Finish(t, shell.ExitOK)

	slices.Sort(addrs)
	want := []string{"join " + addrs[0], "join " + addrs[1], "join 192.0.2.1:1", "leave 192.0.2.1:1"}
	var have []string
	for line := range strings.Lines(stdout) {
		stamp, change, _ := strings.Cut(strings.TrimSpace(line), " ")
		if at, err := time.Parse(time.RFC3339, stamp); err != nil || time.Since(at) > time.Minute {
			t.Errorf("want a time of now, have %q, %v", stamp, err)
		}
		have = append(have, change)
	}
	if !slices.Equal(want, have) || stderr != "" {
		t.Errorf("want %q, have %q and on stderr %q", want, have, stderr)
	}
}

func TestWatchSaysThatNobodyIsThere(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, false)
	p := start(t, "watch", "--sd", url, "--timeout", "500ms")
	p.Stderr.Await(t, "there is no directory", 1)
	if err := registry.Create("/go_servers", nil, 0); err != nil {
		t.Fatal(err)
	}
	p.Stderr.Await(t, statelog.Nobody, 1)
	p.Interrupt(nil)
	if stdout, _ := p.Finish(t, shell.ExitOK); stdout != "" {
		t.Errorf("want nothing, have %q", stdout)
	}
}

// A program that reads objects is told why there are none.
func TestListObjectsOfNoList(t *testing.T) {
	_, url := shelltest.StartRegistry(t, false)
	stdout, stderr := try(t, shell.ExitFailure, "list", "-o", "json", "--sd", url)
	var have map[string]string
	if err := json.Unmarshal([]byte(stdout), &have); err != nil || len(have) != 1 ||
		!strings.Contains(have["error"], "there is no directory /go_servers") {
		t.Errorf("want the reason alone, have %q, %v", stdout, err)
	}
	shelltest.WantText(t, stderr, "there is no directory /go_servers")
	if stdout, _ = try(t, shell.ExitFailure, "list", "-o", "table", "--sd", url); stdout != "" {
		t.Errorf("want nothing, have %q", stdout)
	}
}

func TestWatchJSON(t *testing.T) {
	p := start(t, "watch", "-o", "json", "--sd", "fixed://192.0.2.1:1")
	p.Stdout.Await(t, `"event":"join","instance":"192.0.2.1:1","withdrew":false}`, 1)
	p.Interrupt(nil)
	p.Finish(t, shell.ExitOK)
}

// bareObject is the line of a server without attributes and policy.
func bareObject(instance string) string {
	return `{"instance":"` + instance + `","weight":100,"effective_weight":100,"zone":"","tags":{},` +
		`"since":"","drained":false,"by":"","reason":"","until":""}` + "\n"
}

func TestListForms(t *testing.T) {
	url := "fixed://192.0.2.2:2,192.0.2.1:1"
	for _, test := range []struct {
		args, stdout string
		code         int
	}{
		{"-o name", "192.0.2.1:1\n192.0.2.2:2\n", shell.ExitOK},
		{"-o table", "server       weight  zone  drained\n" +
			"192.0.2.1:1  100     -     -\n192.0.2.2:2  100     -     -\n", shell.ExitOK},
		{"-o json", bareObject("192.0.2.1:1") + bareObject("192.0.2.2:2"), shell.ExitOK},
		{"--min 2", "192.0.2.1:1\n192.0.2.2:2\n", shell.ExitOK},
		{"--min 3", "192.0.2.1:1\n192.0.2.2:2\n", shell.ExitFailure},
	} {
		stdout, stderr := try(t, test.code, append([]string{"list", "--sd", url}, strings.Fields(test.args)...)...)
		if test.stdout != stdout || (stderr != "") != (test.code != shell.ExitOK) {
			t.Errorf("%s: want %q, have %q and %q", test.args, test.stdout, stdout, stderr)
		}
		if test.code != shell.ExitOK {
			shelltest.WantText(t, stderr, url+": 2 registered, want 3 at least")
		}
	}
}
