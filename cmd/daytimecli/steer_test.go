package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/cmd/internal/steer"
	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
	"example.com/daytime/transport/transporttest"
)

// A fleet is servers in a registry that has a policy.
type fleet struct {
	url   string
	store sd.PolicyStore
}

// startFleet registers 192.0.2.1:8897 to 192.0.2.n:8897, of which the first has the zone a and the
// tag version=2.
func startFleet(t testing.TB, n int) fleet {
	t.Helper()
	_, url := shelltest.StartRegistry(t, true)
	backend, err := schemes(nil)("").Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { backend.Close() })
	store, err := sd.PolicyOf(backend)
	if err != nil {
		t.Fatal(err)
	}
	attributes := policy.Attributes{Zone: "a", Tags: map[string]string{"version": "2"}}
	for i := range n {
		r, err := sd.NewRegistrar(backend, fmt.Sprintf("192.0.2.%d:8897", i+1), kitlog.NewNopLogger(),
			sd.Attributes(attributes))
		if err != nil {
			t.Fatal(err)
		}
		r.Register()
		t.Cleanup(r.Deregister)
		attributes = policy.Attributes{}
	}
	return fleet{url, store}
}

// try runs a command on the fleet.
func (f fleet) try(t testing.TB, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	return try(t, want, append(args, "--sd", f.url)...)
}

// policy is what stands in the directory.
func (f fleet) policy(t testing.TB) string {
	t.Helper()
	text, _, err := f.store.ReadPolicy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// write replaces the policy, as another program would.
func (f fleet) write(t testing.TB, text string) {
	t.Helper()
	_, version, err := f.store.ReadPolicy(t.Context())
	if err == nil {
		err = f.store.WritePolicy(t.Context(), text, version)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (f fleet) wantPolicy(t testing.TB, lines ...string) {
	t.Helper()
	want := strings.Join(append([]string{policy.Header}, lines...), "\n") + "\n"
	if have := f.policy(t); want != have {
		t.Errorf("want the policy\n%s\nhave\n%s", want, have)
	}
}

func wantOutput[T comparable](t testing.TB, want, have T) {
	t.Helper()
	if want != have {
		t.Errorf("want\n%v\nhave\n%v", want, have)
	}
}

// The life of a drain: tried, written, replaced, seen, and undone.
func TestDrain(t *testing.T) {
	f := startFleet(t, 4)
	change := `+ #daytime-policy 1
+ drain 192.0.2.1:8897 by=ops reason="rack 7"
affects 1 of 4 instances, which get 25.0% of the calls, and 0.0% after
  192.0.2.1:8897: undrained -> drained
leaves 75.0% of the weight
`
	args := []string{"drain", "192.0.2.1:8897", "--by", "ops", "--reason", "rack 7"}
	stdout, stderr := f.try(t, shell.ExitOK, append(args, "--dry-run")...)
	wantOutput(t, change+"dry run, nothing is written\n", stdout+stderr)
	if have := f.policy(t); have != "" {
		t.Errorf("want no policy after a dry run, have %q", have)
	}
	stdout, stderr = f.try(t, shell.ExitOK, args...)
	wantOutput(t, change, stdout+stderr)
	stdout, _ = f.try(t, shell.ExitOK, args...)
	wantOutput(t, "nothing to change\n", stdout)

	before := time.Now()
	f.try(t, shell.ExitOK, append(args, "--until", "2h")...)
	match := regexp.MustCompile(`^` + policy.Header + `\ndrain 192\.0\.2\.1:8897 until=(\S+) by=ops reason="rack 7"\n$`).
		FindStringSubmatch(f.policy(t))
	if match == nil {
		t.Fatalf("want one line with an end, have %q", f.policy(t))
	}
	until, err := time.Parse(time.RFC3339, match[1])
	if left := until.Sub(before); err != nil || left < 2*time.Hour-2*time.Second || left > 2*time.Hour+10*time.Second {
		t.Errorf("want an end in 2h, have %v, %v", left, err)
	}

	stdout, _ = f.try(t, shell.ExitOK, "list", "-o", "wide")
	if want := regexp.MustCompile(`\n192\.0\.2\.1:8897 +100 +a +drain +` + match[1] + ` +ops +rack 7 +version=2 +\S+\n`); !want.MatchString(stdout) {
		t.Errorf("want %v in\n%s", want, stdout)
	}
	stdout, _ = f.try(t, shell.ExitOK, "list", "-o", "json")
	var object map[string]any
	first, _, _ := strings.Cut(stdout, "\n")
	if err := json.Unmarshal([]byte(first), &object); err != nil || object["drained"] != true ||
		object["reason"] != "rack 7" || object["until"] != match[1] || object["effective_weight"] != 100.0 {
		t.Errorf("want the drain in an object, have %s, %v", first, err)
	}
	stdout, _ = f.try(t, shell.ExitOK, "undrain", "192.0.2.1:8897")
	shelltest.WantText(t, stdout, "192.0.2.1:8897: drained -> undrained", "leaves 100.0% of the weight")
	f.wantPolicy(t)
	_, stderr = f.try(t, shell.ExitOK, "undrain", "192.0.2.1:8897")
	shelltest.WantText(t, stderr, "level=warn", "no line drains 192.0.2.1:8897")
}

// A list says who is not to be called by a share, as a table in a column. An object has no key for
// it.
func TestListTellsShares(t *testing.T) {
	f := startFleet(t, 3)
	f.write(t, policy.Header+"\nshare version=2 0%\n")
	stdout, stderr := f.try(t, shell.ExitOK, "list", "-o", "wide")
	shelltest.WantText(t, stdout, " 0% of version=2 ", " 100% of the rest ")
	wantOutput(t, "", stderr)
	_, stderr = f.try(t, shell.ExitOK, "list")
	wantOutput(t, "", stderr)
	stdout, stderr = f.try(t, shell.ExitOK, "list", "-o", "json")
	shelltest.WantText(t, stderr, "level=warn", "1 server of a share of 0%: called while no others can be")
	if strings.Contains(stdout, "share") {
		t.Errorf("want the keys that there are, have %s", stdout)
	}
}

// The guard counts a share of 0 % as the operator means it: whom it takes away nothing brings back
// but a change of that line.
func TestRefusesToLeaveAShareOfNothing(t *testing.T) {
	f := startFleet(t, 2)
	f.write(t, policy.Header+"\nshare version=2 0%\n")
	for _, args := range []string{"drain 192.0.2.2", "withdraw 192.0.2.2", "weight 192.0.2.2 0"} {
		_, stderr := f.try(t, shell.ExitFailure, strings.Fields(args)...)
		shelltest.WantText(t, stderr, "refused: this leaves 0.0% of the weight")
	}
	f.wantPolicy(t, "share version=2 0%")
}

// Fewer than half of the weight are left to nobody by mistake, by none of the ways to do it.
func TestRefusesToLeaveLessThanHalf(t *testing.T) {
	f := startFleet(t, 4)
	f.try(t, shell.ExitOK, "drain", "192.0.2.1", "--by", "ops")
	f.try(t, shell.ExitOK, "drain", "192.0.2.2", "--by", "ops")
	file := filepath.Join(t.TempDir(), "policy")
	if err := os.WriteFile(file, []byte(policy.Header+"\ndrain *\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"drain 192.0.2.3", "withdraw 192.0.2.3", "weight 192.0.2.3 0", "policy apply " + file} {
		stdout, stderr := f.try(t, shell.ExitFailure, strings.Fields(args)...)
		shelltest.WantText(t, stdout, "affects ", "of 4 instances", "of the calls")
		shelltest.WantText(t, stderr, "refused: this leaves ", "% of the weight; want half of it, or --force")
		stdout, _ = f.try(t, shell.ExitOK, append(strings.Fields(args), "--dry-run")...)
		shelltest.WantText(t, stdout, "dry run, nothing is written; without --force it would be refused\n")
		f.wantPolicy(t, "drain 192.0.2.1 by=ops", "drain 192.0.2.2 by=ops")
	}
	f.try(t, shell.ExitOK, "weight", "192.0.2.3", "0", "--by", "ops", "--force")
	f.wantPolicy(t, "drain 192.0.2.1 by=ops", "drain 192.0.2.2 by=ops", "weight 192.0.2.3 0 by=ops")
}

// A SEL that matches nobody is for who joins.
func TestMatchesNobody(t *testing.T) {
	f := startFleet(t, 2)
	stdout, stderr := f.try(t, shell.ExitOK, "drain", "version=3", "--by", "ops")
	shelltest.WantText(t, stdout, "affects 0 of 2 instances")
	shelltest.WantText(t, stderr, "level=warn", "version=3 matches nobody who is registered now")
	f.wantPolicy(t, "drain version=3 by=ops")

	// Without brackets a port is a part of the address.
	for text, want := range map[string]string{
		"::1:8897":         "; is [::1]:8897 meant?",
		"2001:db8::7:8897": "; is [2001:db8::7]:8897 meant?",
		"2001:db8::7":      "now",
		"2001:db8::1:ab97": "now",
		"[::1]:8897":       "now",
	} {
		_, stderr := f.try(t, shell.ExitOK, "drain", text, "--dry-run")
		if !strings.HasSuffix(strings.TrimSuffix(stderr, "\"\n"), want) {
			t.Errorf("%s: want ...%q, have %s", text, want, stderr)
		}
	}
}

// A policy may be there before anybody has registered. Or the path has a slip, so it is told.
func TestDrainBeforeAnybodyRegisters(t *testing.T) {
	_, url := shelltest.StartRegistry(t, false)
	stdout, stderr := try(t, shell.ExitOK, "drain", "zone=a", "--by", "ops", "--sd", url, "--timeout", "1s")
	shelltest.WantText(t, stdout, "+ drain zone=a by=ops\naffects 0 of 0 instances")
	shelltest.WantText(t, stderr, "level=warn", "there is no directory /go_servers in the ZooKeeper at ",
		"zone=a matches nobody")
	stdout, _ = try(t, shell.ExitOK, "policy", "get", "--sd", url)
	shelltest.WantText(t, stdout, policy.Header+"\ndrain zone=a by=ops\n#version 1\n")
}

// A server can be drained by several lines. Undoing one of them tells the others.
func TestUndrainTellsWhatStillDrains(t *testing.T) {
	f := startFleet(t, 4)
	f.write(t, policy.Header+"\ndrain zone=a\ndrain 192.0.2.1\ndrain 192.0.2.9\n")
	_, stderr := f.try(t, shell.ExitOK, "undrain", "192.0.2.1", "--dry-run")
	want := "192.0.2.1 is still drained, by line 2: drain zone=a"
	shelltest.WantText(t, stderr, "level=warn", want)
	_, stderr = f.try(t, shell.ExitFailure, "undrain", "192.0.2.1")
	shelltest.WantText(t, stderr, "level=error", want)
	f.wantPolicy(t, "drain zone=a", "drain 192.0.2.9")
	f.try(t, shell.ExitFailure, "undrain", "192.0.2.1")
	f.try(t, shell.ExitOK, "undrain", "zone=a")
	f.wantPolicy(t, "drain 192.0.2.9")
}

// A server that is to withdraw leaves the list, and undrain has it back.
func TestWithdraw(t *testing.T) {
	f := startFleet(t, 4)
	listed := func(want int) {
		t.Helper()
		shelltest.Eventually(t, func() error {
			stdout, _ := f.try(t, shell.ExitOK, "list")
			if have := strings.Count(stdout, "\n"); have != want {
				return fmt.Errorf("want %d servers, have\n%s", want, stdout)
			}
			return nil
		})
	}
	stdout, _ := f.try(t, shell.ExitOK, "withdraw", "192.0.2.1", "--by", "ops")
	shelltest.WantText(t, stdout, "192.0.2.1:8897: undrained -> withdrawn")
	listed(3)
	stdout, _ = f.try(t, shell.ExitOK, "explain", "192.0.2.1:8897")
	shelltest.WantText(t, stdout, "withdrawn  yes\n           line 2 decides: withdraw 192.0.2.1 by=ops\n")
	f.try(t, shell.ExitOK, "undrain", "192.0.2.1")
	f.wantPolicy(t)
	listed(4)
}

// The policy as a file: kept, applied again, and refused where it would undo what others wrote.
func TestPolicyGetAndApply(t *testing.T) {
	f := startFleet(t, 4)
	f.try(t, shell.ExitOK, "drain", "192.0.2.1", "--by", "ops")
	backup, _ := f.try(t, shell.ExitOK, "policy", "get")
	if want := regexp.MustCompile(`^` + policy.Header + `\ndrain 192\.0\.2\.1 by=ops\n#version \d+\n$`); !want.MatchString(backup) {
		t.Errorf("want %v, have %q", want, backup)
	}
	file := filepath.Join(t.TempDir(), "policy")
	save := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save(backup)
	stdout, _ := f.try(t, shell.ExitOK, "policy", "apply", file)
	wantOutput(t, "nothing to change\n", stdout)
	f.try(t, shell.ExitOK, "drain", "192.0.2.2", "--by", "ops")
	_, stderr := f.try(t, shell.ExitFailure, "policy", "apply", file)
	shelltest.WantText(t, stderr, "is a copy of version", "somebody else wrote it")
	f.wantPolicy(t, "drain 192.0.2.1 by=ops", "drain 192.0.2.2 by=ops")

	save(regexp.MustCompile(`#version \d+\n`).ReplaceAllString(backup, ""))
	stdout, _ = f.try(t, shell.ExitOK, "policy", "apply", file)
	shelltest.WantText(t, stdout, "- drain 192.0.2.2 by=ops\naffects 1 of 4")
	f.wantPolicy(t, "drain 192.0.2.1 by=ops")

	f.write(t, "") // as in a registry that has lost its data
	save(backup)
	f.try(t, shell.ExitOK, "policy", "apply", file)
	f.wantPolicy(t, "drain 192.0.2.1 by=ops")
}

// A file without a rule ends a policy as an empty one does, and is refused as that is; where there is
// no rule to be lost, or none but those of which it is a copy, it is not.
func TestPolicyFileWithoutRules(t *testing.T) {
	f := startFleet(t, 2)
	file := filepath.Join(t.TempDir(), "policy")
	save := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{policy.Header, policy.Header + "\n# drain 192.0.2.1\n"} {
		save(text)
		f.write(t, policy.Header+"\ndrain 192.0.2.1\n")
		_, stderr := f.try(t, shell.ExitUsage, "policy", "apply", file)
		shelltest.WantText(t, stderr, file+" has no rule, which would end the policy; want --force, too")
		f.wantPolicy(t, "drain 192.0.2.1")
		f.try(t, shell.ExitOK, "policy", "apply", file, "--force")
		f.try(t, shell.ExitOK, "policy", "apply", file)
		if have := f.policy(t); have != text {
			t.Errorf("want %q, have %q", text, have)
		}
	}
	f.write(t, policy.Header+"\ndrain 192.0.2.1\n")
	copied, _ := f.try(t, shell.ExitOK, "policy", "get")
	save(strings.Replace(copied, "drain 192.0.2.1\n", "", 1))
	f.try(t, shell.ExitOK, "policy", "apply", file)
	f.wantPolicy(t)
}

// A file with a wrong line is refused with its place, which counts the line of the version.
func TestPolicyFileIsWrong(t *testing.T) {
	f := startFleet(t, 2)
	file := filepath.Join(t.TempDir(), "policy")
	text := policy.Header + "\n#version 7\n# a comment\ndrian 192.0.2.1\nweight * 2000\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr := f.try(t, shell.ExitUsage, "policy", "check", file)
	shelltest.WantText(t, stdout, file+": line 4, column 1: ", file+": line 5, column 10: ")
	shelltest.WantText(t, stderr, "2 lines wrong")
	_, stderr = f.try(t, shell.ExitUsage, "policy", "apply", file)
	shelltest.WantText(t, stderr, "2 lines wrong: line 4, column 1: ")
	if have := f.policy(t); have != "" {
		t.Errorf("want no policy, have %q", have)
	}
	f.try(t, shell.ExitOK, "policy", "apply", file, "--force")
	f.wantPolicy(t, "# a comment", "drian 192.0.2.1", "weight * 2000")

	good := policy.Header + "\ndrain 192.0.2.1\ndrain 192.0.2.9\ndrain 192.0.2.2 until=2020-01-01T00:00:00Z\n"
	if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr = f.try(t, shell.ExitOK, "policy", "check", file)
	wantOutput(t, file+": 3 rules, none wrong\n", stdout)
	shelltest.WantText(t, stderr, "line 3, column 1: no instance matches this line", "line 4, column 1: expired at 2020-01-01T00:00:00Z")
}

// What has expired or matches nobody is told beside what is wrong, as far as the registry answers.
func TestPolicyCheckTellsAll(t *testing.T) {
	f := startFleet(t, 2)
	file := filepath.Join(t.TempDir(), "policy")
	text := policy.Header + "\ndrian *\ndrain 192.0.2.9\ndrain * until=2020-01-01T00:00:00Z\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr := f.try(t, shell.ExitUsage, "policy", "check", file)
	wantOutput(t, 1, strings.Count(stdout, "\n"))
	shelltest.WantText(t, stdout, file+": line 2, column 1: unknown verb")
	shelltest.WantText(t, stderr, "line 3, column 1: no instance matches", "line 4, column 1: expired at",
		"1 line wrong")
	wantOutput(t, 0, strings.Count(stderr, "line 2"))
	nobody := "zk://" + transporttest.FreeAddress(t) + "/go_servers"
	stdout, stderr = try(t, shell.ExitUsage, "policy", "check", file, "--sd", nobody, "--timeout", "300ms")
	shelltest.WantText(t, stdout, file+": line 2, column 1: unknown verb")
	shelltest.WantText(t, stderr, "1 line wrong; ", "connection refused")
}

// Lines that expired a day ago are not written, and the command says so.
func TestTellsWhatHasExpired(t *testing.T) {
	f := startFleet(t, 2)
	file := filepath.Join(t.TempDir(), "policy")
	old := strings.Repeat("drain 192.0.2.1 until=2020-01-01T00:00:00Z\n", 5)
	text := policy.Header + "\ndrain 192.0.2.2\n" + old
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to change
		_, stderr := f.try(t, shell.ExitOK, "policy", "apply", file)
		shelltest.WantText(t, stderr, "left out, since it expired a day ago or longer: "+
			"drain 192.0.2.1 until=2020-01-01T00:00:00Z", "and 2 more lines")
		f.wantPolicy(t, "drain 192.0.2.2")
	}
	f.write(t, text)
	stdout, stderr := f.try(t, shell.ExitOK, "drain", "192.0.2.2:8897")
	wantOutput(t, 5, strings.Count(stdout, "- drain 192.0.2.1 until="))
	wantOutput(t, "", stderr) // the difference says it
}

// What is told of a line of the policy is told by its number in what policy get prints; what is told
// of a line of a file, by its number there.
func TestLinesHaveOneNumber(t *testing.T) {
	f := startFleet(t, 4)
	f.write(t, policy.Header+"\ndrain 192.0.2.1\ndrian *\ndrain 192.0.2.1:8897\n")
	copied, _ := f.try(t, shell.ExitOK, "policy", "get")
	lines := strings.Split(copied, "\n")
	number := func(text string) string { return fmt.Sprintf("line %d", 1+slices.Index(lines, text)) }
	stdout, _ := f.try(t, shell.ExitOK, "explain", "192.0.2.1:8897")
	shelltest.WantText(t, stdout, number("drain 192.0.2.1")+" overridden")
	_, stderr := f.try(t, shell.ExitFailure, "undrain", "192.0.2.1:8897")
	shelltest.WantText(t, stderr, "is still drained, by "+number("drain 192.0.2.1")+": ")
	shelltest.WantText(t, stderr, number("drian *")+", column 1")
	stdout, _ = f.try(t, shell.ExitFailure, "doctor")
	shelltest.WantText(t, stdout, number("drian *")+", column 1")
	file := filepath.Join(t.TempDir(), "policy")
	if err := os.WriteFile(file, []byte(copied), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _ = f.try(t, shell.ExitUsage, "policy", "check", file)
	shelltest.WantText(t, stdout, number("drian *")+", column 1")
}

// Of what is too long to be read to its end, no length is told, and no place.
func TestPolicyFileIsTooLong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy")
	text := policy.Header + strings.Repeat("\n# a comment", 60_000)
	for _, test := range []struct {
		size int
		want string
	}{
		{policy.MaxSize + 100, "unreadable: line 5461, column 11: 65636 bytes; want at most 65536"},
		{100_000, "more than the 65536 bytes that a policy has at most"},
		{len(text), "more than the 65536 bytes that a policy has at most"},
	} {
		if err := os.WriteFile(file, []byte(text[:test.size]), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"check", "apply"} {
			_, stderr := try(t, shell.ExitUsage, "policy", command, file)
			wantOutput(t, "daytimecli: "+file+": "+test.want+"\n", stderr)
		}
	}
}

// What is no policy is printed as it is, and replaced by force alone.
func TestUnreadablePolicy(t *testing.T) {
	f := startFleet(t, 4)
	f.write(t, "a stranger's\n")
	stdout, stderr := f.try(t, shell.ExitFailure, "policy", "get")
	wantOutput(t, "a stranger's\n", stdout)
	shelltest.WantText(t, stderr, "policy: unreadable: line 1, column 1")
	for _, args := range []string{"drain 192.0.2.1 --by ops", "undrain 192.0.2.1"} {
		_, stderr = f.try(t, shell.ExitFailure, strings.Fields(args)...)
		shelltest.WantText(t, stderr, "only --force replaces it")
	}
	f.try(t, shell.ExitOK, "drain", "192.0.2.1", "--by", "ops", "--force")
	f.wantPolicy(t, "drain 192.0.2.1 by=ops")
}

func TestPolicyEdit(t *testing.T) {
	f := startFleet(t, 4)
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("EDITOR", "true")
	stdout, _ := f.try(t, shell.ExitOK, "policy", "edit")
	wantOutput(t, "nothing to change\n", stdout)
	t.Setenv("EDITOR", `sh -c 'echo "drain 192.0.2.1" >>"$0"'`)
	stdout, _ = f.try(t, shell.ExitOK, "policy", "edit")
	shelltest.WantText(t, stdout, "+ drain 192.0.2.1\naffects 1 of 4")
	f.wantPolicy(t, "drain 192.0.2.1")
	if left, err := os.ReadDir(os.TempDir()); len(left) > 0 || err != nil {
		t.Errorf("want no file left, have %v, %v", left, err)
	}
	for _, test := range []struct {
		editor, want string
		code         int
	}{
		{`sh -c 'echo "drain *" >>"$0"; exit 1'`, "exit status 1", shell.ExitFailure},
		{`sh -c 'echo "drian *" >>"$0"'`, "1 line wrong: line 4, column 1: ", shell.ExitUsage},
		{`sh -c 'echo "drain *" >>"$0"'`, "refused: this leaves 0.0% of the weight", shell.ExitFailure},
	} {
		t.Setenv("EDITOR", test.editor)
		_, stderr := f.try(t, test.code, "policy", "edit")
		shelltest.WantText(t, stderr, test.want, "what was edited is kept in "+os.TempDir())
		f.wantPolicy(t, "drain 192.0.2.1")
	}
}

// Who takes all rules away in an editor means it, also with the line of the version, which is the last
// one.
func TestPolicyEditOfAllRules(t *testing.T) {
	f := startFleet(t, 2)
	for _, editor := range []string{`sed -i /drain/d`, `sed -i '2,$d'`} {
		f.write(t, policy.Header+"\ndrain 192.0.2.1\n")
		t.Setenv("EDITOR", editor)
		stdout, _ := f.try(t, shell.ExitOK, "policy", "edit")
		shelltest.WantText(t, stdout, "- drain 192.0.2.1\n")
		f.wantPolicy(t)
	}
}

// Where nothing was edited nothing is kept, and nothing is said to be.
func TestPolicyEditThatFails(t *testing.T) {
	f := startFleet(t, 2)
	t.Setenv("TMPDIR", t.TempDir())
	for editor, want := range map[string]string{
		"false":                   "editor false: exit status 1",
		"/no/such/editor":         "editor /no/such/editor: exit status 127",
		"rm":                      "no such file or directory",
		`sh -c 'rm "$0"; exit 1'`: "exit status 1",
	} {
		t.Setenv("EDITOR", editor)
		_, stderr := f.try(t, shell.ExitFailure, "policy", "edit")
		shelltest.WantText(t, stderr, want)
		wantOutput(t, false, strings.Contains(stderr, "is kept in"))
		if left, err := os.ReadDir(os.TempDir()); len(left) > 0 || err != nil {
			t.Errorf("%s: want no file left, have %v, %v", editor, left, err)
		}
	}
}

// What is withdrawn by zone or tag has left every count, and the command says so.
func TestSaysWhoIsNotCounted(t *testing.T) {
	f := startFleet(t, 2)
	f.write(t, policy.Header+"\nwithdraw zone=b\n")
	stdout, _ := f.try(t, shell.ExitOK, "undrain", "zone=b", "--dry-run")
	shelltest.WantText(t, stdout, "affects 0 of 2 instances",
		"withdrawn servers are not registered, and not counted: line 2 withdraw zone=b\n")
	_, stderr := f.try(t, shell.ExitOK, "drain", "zone=b", "--dry-run")
	shelltest.WantText(t, stderr, "zone=b matches nobody who is registered now; "+
		"withdrawn servers are not registered: line 2 withdraw zone=b")
	file := filepath.Join(t.TempDir(), "policy")
	if err := os.WriteFile(file, []byte(policy.Header+"\ndrain zone=b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr = f.try(t, shell.ExitOK, "policy", "check", file)
	shelltest.WantText(t, stderr, "line 2, column 1: no instance matches this line; "+
		"withdrawn servers are not registered: line 2 withdraw zone=b")
}

func TestExplain(t *testing.T) {
	f := startFleet(t, 2)
	f.write(t, policy.Header+"\nweight zone=a 50\nweight version=2 20\nzone b 192.0.2.2/32\n")
	stdout, stderr := f.try(t, shell.ExitOK, "explain", "192.0.2.1:8897")
	shelltest.WantText(t, stdout, "instance   192.0.2.1:8897\n", "own        weight 100, zone a, version=2, since ",
		"line 2 overridden: weight zone=a 50\n", "line 3 decides: weight version=2 20\n", "weight     20\n")
	if stderr != "" {
		t.Errorf("want nothing on stderr, have %q", stderr)
	}
	stdout, stderr = f.try(t, shell.ExitOK, "explain", "192.0.2.3:8897")
	shelltest.WantText(t, stdout, "instance   192.0.2.3:8897\n",
		"own        not registered: weight, zone and tags are not known\n",
		"weight     unknown: line 2 would, of a server that matches: weight zone=a 50\n")
	shelltest.WantText(t, stderr, "192.0.2.3:8897 is not registered")
}

// An explanation tells of a policy that is not obeyed as it stands: it alone would say drained.
func TestExplainWarnsOfThePolicy(t *testing.T) {
	f := startFleet(t, 2)
	for document, want := range map[string]string{
		"drain *\n":         "every instance is drained, so drained ones are picked",
		"weight * 0\n":      "every weight is 0, so weights are ignored",
		"drain 192.0.2.1\n": "",
	} {
		f.write(t, policy.Header+"\n"+document)
		_, stderr := f.try(t, shell.ExitOK, "explain", "192.0.2.1:8897")
		if want == "" && stderr != "" || !strings.Contains(stderr, want) {
			t.Errorf("%q: want %q on stderr, have %q", document, want, stderr)
		}
	}
}

// Two operators with 200 edits each, in a registry elsewhere: every edit stands.
func TestNoEditIsLost(t *testing.T) {
	const edits = 200
	f := startFleet(t, 1)
	var operators sync.WaitGroup
	for o := range 2 {
		backend, err := schemes(nil)("").Open(f.url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { backend.Close() })
		store, err := sd.PolicyOf(backend)
		if err != nil {
			t.Fatal(err)
		}
		desk := steer.Desk{Store: store, Fleet: func() []policy.Entry { return nil }}
		operators.Go(func() {
			for n := range edits {
				s, _ := policy.ParseSelector(fmt.Sprintf("198.51.%d.%d", 100+o, n+1))
				rule := policy.Rule{Verb: policy.Drain, Selector: s}
				set := func(before policy.Document, _ int64, now time.Time) (policy.Document, error) {
					return before.Set(rule, now)
				}
				if outcome, err := desk.Do(t.Context(), set); err != nil || !outcome.Written {
					t.Errorf("%v: want it written, have %v", s, err)
				}
			}
		})
	}
	operators.Wait()
	if have := strings.Count(f.policy(t), "\ndrain "); have != 2*edits {
		t.Errorf("want %d lines, have %d", 2*edits, have)
	}
}

// SEL is completed with the addresses, tags and zones of who is registered, as far as they begin like
// what is typed.
func TestCompletesSelectors(t *testing.T) {
	f := startFleet(t, 2)
	for _, test := range []struct{ verbs, text, want string }{
		{"drain undrain weight withdraw explain", "192", "192.0.2.1:8897 192.0.2.2:8897 :4"},
		{"drain undrain weight withdraw", "", "192.0.2.1:8897 192.0.2.2:8897 version=2 zone=a :4"},
		{"drain", "zone=", "zone=a :4"},
		{"explain", "", "192.0.2.1:8897 192.0.2.2:8897 :4"},
	} {
		for _, verb := range strings.Fields(test.verbs) {
			stdout, _ := try(t, shell.ExitOK, "__complete", "--sd", f.url, verb, test.text)
			if have := strings.Join(strings.Fields(stdout), " "); have != test.want {
				t.Errorf("%s %s: want %q, have %q", verb, test.text, test.want, have)
			}
		}
	}
}

// Without an answer nothing is written, and it is said in time.
func TestSteerWithoutAnAnswer(t *testing.T) {
	for _, args := range []string{"drain *", "undrain *", "weight * 1", "withdraw *", "policy get", "explain 192.0.2.1:1"} {
		begin := time.Now()
		_, stderr := try(t, shell.ExitFailure, append(strings.Fields(args), "--timeout", "300ms", "--sd", "etcd://127.0.0.1:1")...)
		shelltest.WantText(t, stderr, "level=error", "etcd://127.0.0.1:1")
		if have := time.Since(begin); have > 3*time.Second {
			t.Errorf("%s: want an end in time, have %v", args, have)
		}
	}
}

// A client whose target says policy=off treats every server alike.
func TestPolicyOff(t *testing.T) {
	f := startFleet(t, 2)
	f.try(t, shell.ExitOK, "drain", "192.0.2.1")
	stdout, _ := f.try(t, shell.ExitOK, "list", "-o", "json")
	shelltest.WantText(t, stdout, `"drained":true`)
	stdout, _ = try(t, shell.ExitOK, "list", "-o", "json", "--sd", f.url+"?policy=off")
	if strings.Contains(stdout, `"drained":true`) || strings.Count(stdout, "\n") != 2 {
		t.Errorf("want two servers that are not drained, have\n%s", stdout)
	}
}
