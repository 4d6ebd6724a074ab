//go:build unix

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/transport/transporttest"
)

func TestCompletions(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, true)
	shelltest.Enter(t, registry, "192.0.2.1:1", "192.0.2.2:2", "stranger")
	_, missing := shelltest.StartRegistry(t, false)
	for _, test := range []struct{ args, want string }{
		{"l|", "list"},
		{"completion|", "bash zsh fish"},
		{"--balance|", "random roundrobin leastloaded ewma hash"},
		{"get -o|", "text json none"},
		{"-n|", ""},
		{"--sd|", "dns:// etcd:// file:// fixed:// zk://"},
		{"--sd|fixed://", "fixed://192.0.2.1:1 fixed://192.0.2.2:2"},
		{"watch --sd|fixed://192.0.2.9:9,", "fixed://192.0.2.9:9,192.0.2.1:1 fixed://192.0.2.9:9,192.0.2.2:2"},
		{"--sd " + missing + " --log-level|", "debug info warn error"},
		{"drain|", "192.0.2.1:1 192.0.2.2:2"},
		{"drain --sd fixed://192.0.2.3:3|", "192.0.2.3:3"},
		{"drain --sd=fixed://192.0.2.3:3 --sd|fixed://192.0.2.9:9,", "fixed://192.0.2.9:9,192.0.2.3:3"},
	} {
		before, text, _ := strings.Cut(test.args, "|")
		args := append([]string{"__completeNoDesc"}, strings.Fields(before)...)
		if before == "l" {
			args, text = args[:1], "l"
		}
		lookup := func(name string) (string, bool) { return url, name == "DAYTIME_SD" }
		stdout, stderr := shelltest.NewConsole(), shelltest.NewConsole()
		if have := run(t.Context(), append(args, text), lookup, stdout, stderr); have != shell.ExitOK {
			t.Errorf("%s: want exit code 0, have %d", test.args, have)
		}
		lines := strings.Fields(stdout.String())
		if have := strings.Join(lines[:len(lines)-1], " "); test.want != have { // the last is a directive
			t.Errorf("%s: want %q, have %q", test.args, test.want, have)
		}
	}
}

// The scripts work in the shells that they are for.
func TestCompletionScripts(t *testing.T) {
	dir := shelltest.Build(t)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("DAYTIME_SD", "fixed://192.0.2.1:1,192.0.2.2:2")
	for _, test := range []struct{ shell, script, want string }{
		{"bash", `. /usr/share/bash-completion/bash_completion && source <(daytimecli completion bash)
			COMP_WORDS=(daytimecli --sd fixed : //) COMP_CWORD=4 COMP_LINE='daytimecli --sd fixed://'
			COMP_POINT=${#COMP_LINE}
			__start_daytimecli 2>/dev/null; echo "${COMPREPLY[@]}"`, "//192.0.2.1:1 //192.0.2.2:2"},
		{"fish", `daytimecli completion fish | source; complete -C 'daytimecli --sd fixed://'`,
			"fixed://192.0.2.1:1 fixed://192.0.2.2:2"},
		{"zsh", `autoload -U compinit; compinit -u; source <(daytimecli completion zsh)
			echo ${_comps[daytimecli]}`, "_daytimecli"},
	} {
		t.Run(test.shell, func(t *testing.T) {
			program := transporttest.Program(t, test.shell, test.shell)
			if test.shell == "bash" {
				transporttest.File(t, "/usr/share/bash-completion/bash_completion", "bash-completion")
			}
			cmd := exec.Command(program, "-c", test.script)
			cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
			out, err := cmd.CombinedOutput()
			if have := strings.Join(strings.Fields(string(out)), " "); !strings.HasSuffix(have, test.want) {
				t.Errorf("want %q, have %q, %v", test.want, have, err)
			}
		})
	}
}

// A selector is completed with addresses, zones and tags, and --zone with zones.
func TestSelectorCompletions(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, true)
	shelltest.Enter(t, registry, "192.0.2.1:1")
	const data = `{"zone":"eu-1","tags":{"version":"2.1"}}`
	if err := registry.Create("/go_servers/192.0.2.2:2", []byte(data), 0); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"drain":      "192.0.2.1:1 192.0.2.2:2 version=2.1 zone=eu-1",
		"weight *":   "",
		"explain":    "192.0.2.1:1 192.0.2.2:2",
		"get --zone": "eu-1",
	} {
		stdout, _ := try(t, shell.ExitOK,
			append(append([]string{"__completeNoDesc", "--sd", url}, strings.Fields(args)...), "")...)
		lines := strings.Fields(stdout)
		if have := strings.Join(lines[:len(lines)-1], " "); want != have { // the last is a directive
			t.Errorf("%s: want %q, have %q", args, want, have)
		}
	}
}
