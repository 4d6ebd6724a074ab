package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
)

// A list without a registry needs nothing else to run.
func Example() {
	args := []string{"list", "--sd", "fixed://192.0.2.1:8897,[2001:db8::1]:8897"}
	code := run(context.Background(), args, os.LookupEnv, os.Stdout, os.Stderr)
	fmt.Println("exit code", code)
	// Output:
	// 192.0.2.1:8897
	// [2001:db8::1]:8897
	// exit code 0
}

func TestHelp(t *testing.T) {
	for file, args := range map[string][]string{
		"help.txt":            {"--help"},
		"help-get.txt":        {"get", "--help"},
		"help-list.txt":       {"list", "-h"},
		"help-watch.txt":      {"help", "watch"},
		"help-export.txt":     {"export", "--help"},
		"help-completion.txt": {"completion", "--help"},
		"help-drain.txt":      {"drain", "--help"},
		"help-undrain.txt":    {"undrain", "--help"},
		"help-weight.txt":     {"weight", "--help"},
		"help-withdraw.txt":   {"withdraw", "--help"},
		"help-explain.txt":    {"explain", "--help"},
		"help-doctor.txt":     {"doctor", "--help"},
		"help-policy.txt":     {"policy", "--help"},
		"help-apply.txt":      {"policy", "apply", "--help"},
	} {
		stdout, stderr := try(t, shell.ExitOK, args...)
		shelltest.Golden(t, file, stdout)
		shelltest.WantWidth(t, stdout, 80)
		if stderr != "" {
			t.Errorf("%q: want nothing on stderr, have %q", args, stderr)
		}
	}
}

func TestWrongCommands(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"lst", `command "lst": want completion, doctor, drain, explain, export, get, list, policy, undrain, watch, weight, withdraw; did you mean list?`},
		{"get now", `argument "now": get takes flags only`},
		{"completion", `no shell: want bash, zsh, fish`},
		{"completion tcsh", `shell "tcsh": want bash, zsh, fish`},
		{"export", `no format: want prometheus, haproxy`},
		{"export consul", `format "consul": want prometheus, haproxy`},
		{"export haproxy --watch", `--watch want a --file, too`},
		{"export haproxy --then true", `--then "true": want a --file, too`},
		{"export prometheus --backend b", `--backend "b": is for haproxy`},
		{"export haproxy --backend é", `--backend "é": want letters`},
		{"export haproxy --parameters #", `--parameters "#": want one line`},
		{"list all", `argument "all": list takes flags only`},
		{"watch all", `argument "all": watch takes flags only`},
		{"doctor all", `argument "all": doctor takes flags only`},
		{"doctor -o xml", `--output "xml": want text, json`},
		{"doctor --strict=perhaps", `--strict "perhaps": want true or false`},
		{"doctor --sd zk://h:0", `--sd target "zk://h:0": port "0"`},
		{"doctor --tls-ca f", `--tls-ca "f": want --tls-name, too`},
		{"list -n 4", `unknown shorthand flag: 'n' in -n`},
		{"--colour", "unknown flag: --colour"},
		{"--coun 3", "unknown flag: --coun; did you mean --count?"},
		{"drain * --untli 2h", "unknown flag: --untli; did you mean --until?"},
		{"weight * -5", `weight "-5": want a whole number, 0 to 1000`},
		{"weight * -x", `unknown shorthand flag: 'x' in -x`},
		{"--sd", `flag needs an argument: --sd`},
		{"-n many", `--count "many": want a whole number, 0 or more`},
		{"-n -1", `--count "-1": want a whole number, 0 or more`},
		{"-n 99999999999999999999", `--count "99999999999999999999": want a whole number, 0 or more, 9223372036854775807 at most`},
		{"--retries -2", `--retries "-2": want a whole number, -1 or more`},
		{"-i fast", `--interval "fast": want a duration such as 500ms or 2s, 0s or more`},
		{"-i 1", `--interval "1": want a duration such as 500ms or 2s, 0s or more`},
		{"--timeout 0s", `--timeout "0s": want a duration such as 500ms or 2s, 1ms or more`},
		{"-o xml", `--output "xml": want text, json`},
		{"--balance best", `--balance "best": want random, roundrobin, leastloaded, ewma, hash`},
		{"--balance hash", `--balance "hash": want a --hash-key, too`},
		{"--hash-key k", `--hash-key "k": want --balance hash, too`},
		{"--sd fixed://127.0.0.1:1 --snapshot f", `--snapshot "f": a fixed list needs none`},
		{"--zone a=b", `--zone "a=b": the name of a zone has no =`},
		{"--tls-ca f", `--tls-ca "f": want --tls-name, too`},
		{"list --tls-name n", `--tls-name "n": want --tls-ca, too`},
		{"list --check --tls-ca f --tls-name n --tls-key f", `--tls-key "f": want --tls-cert, too`},
		{"--tls-cert f --tls-key f", `--tls-cert "f": want --tls-ca and --tls-name, too`},
		{"--tls-ca /no/such --tls-name n", `--tls-ca `},
		{"drain", `no SEL: want drain SEL`},
		{"drain a b", `"a b": want drain SEL`},
		{"drain 192.0.2.1/24", `selector "192.0.2.1/24": bits are set beyond the length`},
		{"drain * --until soon", `--until "soon": want a duration such as 2h or a time`},
		{"drain * --until 2020-01-01T00:00:00Z", `--until "2020-01-01T00:00:00Z": want a time in the future`},
		{"drain * --by \u202e", `drain * by=`},
		{"weight * 1001", `weight "1001": want a whole number, 0 to 1000`},
		{"weight *", `"*": want weight SEL N`},
		{"undrain host", `selector "host": want an ip:port, an ip, a CIDR`},
		{"explain host:1", `instance "host:1": not an ip:port`},
		{"policy", `no command: want get, apply, edit, check`},
		{"help put", `command "put": want completion, doctor, drain, `},
		{"help policy put", `command "put": want get, apply, edit, check`},
		{"policy put", `command "put": want get, apply, edit, check`},
		{"policy get all", `argument "all": get takes flags only`},
		{"policy apply", `no FILE: want policy apply FILE`},
		{"weight", `no SEL: want weight SEL N`},
		{"drain * --until 99999999h", `--until "99999999h": too long: want 2562047h at most`},
		{"drain * --sd zk://192.0.2.1/a?layout=dubbo", `--sd "zk://192.0.2.1/a?layout=dubbo": this registry has no policy; want it without layout`},
		{"policy apply /no/such", `open /no/such: no such file or directory`},
		{"policy apply main.go", `main.go: unreadable: line 1, column 1: `},
		{"policy check main.go", `main.go: unreadable: line 1, column 1: `},
		{"policy apply /dev/null", `/dev/null: is empty, which would end the policy; want --force, too`},
		{"policy check /dev/null", `/dev/null: is empty, which would end the policy; want --force, too`},
		{"drain * --sd fixed://192.0.2.1:1", `--sd "fixed://192.0.2.1:1": this registry has no policy; want zk:// or etcd://`},
		{"undrain * --sd file:///no/such", `--sd "file:///no/such": this registry has no policy; want zk:// or etcd://`},
		{"policy get --sd dns:///daytime.example.com", `--sd "dns:///daytime.example.com": this registry has no policy`},
		{"policy edit --sd fixed://192.0.2.1:1", `--sd "fixed://192.0.2.1:1": this registry has no policy`},
		{"--hedge=perhaps", `--hedge "perhaps": want true or false`},
		{"--log-level loud", `--log-level "loud": want debug, info, warn, error`},
		{"--log-format xml", `--log-format "xml": want auto, words, logfmt, json`},
		{"--sd consul://127.0.0.1", `--sd target "consul://127.0.0.1": unknown scheme "consul"; known are dns, etcd, file, fixed, zk`},
		{"--snapshot /no/such/list", `--snapshot /no/such/list: want a directory that may be written: `},
		{"--snapshot main.go/list", `--snapshot stat main.go/list: not a directory`},
		{"--snapshot /proc/list", `--snapshot /proc/list: want a directory that may be written: `},
		{"--snapshot " + strings.Repeat("n", 300), `--snapshot stat ` + strings.Repeat("n", 300) + `: file name too long`},
		{"--snapshot /dev/null", `--snapshot /dev/null: mode Dcrw-rw-rw-: want a regular file, or none`},
		{"list --snapshot .", `--snapshot .: mode drwxr-xr-x: want a regular file, or none`},
		{"export prometheus -f /dev/null", `--file "/dev/null": mode Dcrw-rw-rw-: want a regular file, or none`},
		{"export haproxy -f . --watch", `--file ".": mode drwxr-xr-x: want a regular file, or none`},
		{"list --sd fixed://here", `--sd target fixed://here: instance "here": not an ip:port; want a canonical ip:port`},
		{"watch --sd zk://h/a//b", `--sd target zk://h/a//b: path "/a//b": want `},
	} {
		stdout, stderr := try(t, shell.ExitUsage, strings.Fields(test.args)...)
		line, hint, _ := strings.Cut(stderr, "\n")
		if want := "daytimecli: " + test.want; !strings.HasPrefix(line, want) {
			t.Errorf("%q: want %q, have %q", test.args, want, line)
		}
		fields := strings.Fields(test.args)
		if n := len(fields); n == 3 && fields[0] == "policy" && strings.ContainsAny(fields[2], "/.") {
			if stdout != "" || hint != "" { // --help says nothing of what is in a file
				t.Errorf("%q: want one line, have also %q and on stdout %q", test.args, hint, stdout)
			}
			continue
		}
		if stdout != "" || !strings.HasPrefix(hint, "Try 'daytimecli") || strings.Count(hint, "\n") != 1 {
			t.Errorf("%q: want one more line, which points to --help, have %q and on stdout %q", test.args, hint, stdout)
		}
	}
}

func TestEnvironment(t *testing.T) {
	addr := shelltest.Serve(t)
	for _, test := range []struct {
		name      string
		variables map[string]string
		args      []string
		want      int
		stderr    string
	}{
		{"set", map[string]string{"DAYTIME_SD": "fixed://" + addr, "DAYTIME_COUNT": "3", "DAYTIME_INTERVAL": "0"}, nil, shell.ExitOK, "3 requests"},
		{"flag wins", map[string]string{"DAYTIME_SD": "zk://nowhere", "DAYTIME_COUNT": "3"}, []string{"--sd", "fixed://" + addr, "-n", "1"}, shell.ExitOK, "1 request in"},
		{"subcommand", map[string]string{"DAYTIME_SD": "fixed://" + addr, "DAYTIME_COUNT": "1"}, []string{"get"}, shell.ExitOK, "1 request in"},
		{"wrong value", map[string]string{"DAYTIME_LOG_LEVEL": "loud"}, []string{"list"}, shell.ExitUsage, `DAYTIME_LOG_LEVEL "loud": want debug, info, warn, error`},
		{"wrong target", map[string]string{"DAYTIME_SD": "zk://h:0"}, nil, shell.ExitUsage, `DAYTIME_SD target "zk://h:0": port "0"`},
		{"wrong switch", map[string]string{"DAYTIME_HEDGE": "perhaps"}, nil, shell.ExitUsage, `DAYTIME_HEDGE "perhaps": want true or false`},
		{"wrong, but a flag wins", map[string]string{"DAYTIME_COUNT": "many", "DAYTIME_SD": "fixed://" + addr}, []string{"-n", "1"}, shell.ExitOK, "1 request in"},
		{"empty", map[string]string{"DAYTIME_COUNT": ""}, nil, shell.ExitUsage, `DAYTIME_COUNT "": want a whole number, 0 or more`},
		{"of another command", map[string]string{"DAYTIME_COUNT": "many", "DAYTIME_SD": "fixed://" + addr}, []string{"list"}, shell.ExitOK, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			lookup := func(name string) (string, bool) { v, ok := test.variables[name]; return v, ok }
			stdout, stderr := shelltest.NewConsole(), shelltest.NewConsole()
			if have := run(t.Context(), test.args, lookup, stdout, stderr); have != test.want {
				t.Errorf("want exit code %d, have %d", test.want, have)
			}
			shelltest.WantText(t, stderr.String(), test.stderr)
		})
	}
}

// A variable with a slip is told; one of the other program is none.
func TestVariableWithASlip(t *testing.T) {
	t.Setenv("DAYTIME_WIEGHT", "3")
	t.Setenv("DAYTIME_LISTEN", "127.0.0.1:1")
	var stdout, stderr strings.Builder
	args := []string{"list", "--sd", "fixed://127.0.0.1:1"}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	run(ctx, args, os.LookupEnv, &stdout, &stderr)
	shelltest.WantText(t, stderr.String(), "DAYTIME_WIEGHT sets nothing; did you mean DAYTIME_WEIGHT?")
	if n := strings.Count(stderr.String(), "sets nothing"); n != 1 {
		t.Errorf("want one warning, have %q", stderr.String())
	}
}

// A variable of daytimesvc is no mistake here.
func TestServerFlags(t *testing.T) {
	shelltest.WantOtherFlags(t, "../daytimesvc", strings.Fields(serverFlags))
}
