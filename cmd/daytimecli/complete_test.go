//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// What a stranger registers never reaches a command line: bash takes what several candidates have
// in common as it stands, and the script of the next tab evaluates the line.
func TestCompletionsRunNothing(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, true)
	ran := filepath.Join(t.TempDir(), "ran")
	for i, extra := range []string{"1", "2"} {
		data, err := json.Marshal(map[string]any{"zone": "$(touch${IFS}" + ran + ")" + extra, "tags": map[string]string{
			"x": "$(touch${IFS}" + ran + ")" + extra, "y": "a;b" + extra, "version": "v2.1-rc_" + extra + "/a:b+c@d,e%f"}})
		if err == nil {
			err = registry.Create(fmt.Sprintf("/go_servers/192.0.2.%d:1", i+1), data, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	const versions = "version=v2.1-rc_1/a:b+c@d,e%f version=v2.1-rc_2/a:b+c@d,e%f"
	for args, want := range map[string]string{
		"drain": "192.0.2.1:1 192.0.2.2:1 " + versions, "undrain": "192.0.2.1:1 192.0.2.2:1 " + versions,
		"get --zone": "",
	} {
		stdout, _ := try(t, shell.ExitOK,
			append(append([]string{"__completeNoDesc", "--sd", url}, strings.Fields(args)...), "")...)
		lines := strings.Fields(stdout)
		if have := strings.Join(lines[:len(lines)-1], " "); want != have { // the last is a directive
			t.Errorf("%s: want %q, have %q", args, want, have)
		}
	}
	bash := transporttest.Program(t, "bash", "bash")
	transporttest.File(t, "/usr/share/bash-completion/bash_completion", "bash-completion")
	t.Setenv("PATH", shelltest.Build(t)+":"+os.Getenv("PATH"))
	t.Setenv("DAYTIME_SD", url)
	for _, args := range []string{"drain x", "get --zone "} {
		cmd := exec.Command(bash, "-c", `. /usr/share/bash-completion/bash_completion
			source <(daytimecli completion bash)
			tab() { # with the line and its last word
				COMP_WORDS=($before "$1") COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
				COMP_LINE="daytimecli $args" COMP_POINT=${#COMP_LINE} COMPREPLY=()
				__start_daytimecli
			}
			args=$1 before="daytimecli ${1% *}" word=${1##* }
			tab "$word"
			word=${COMPREPLY[0]%1} args="${1% *} $word" # what the candidates have in common
			tab "$word"`, "bash", args)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		out, _ := cmd.CombinedOutput()
		if _, err := os.Stat(ran); !os.IsNotExist(err) {
			t.Errorf("%s: want nothing run, have %v\n%s", args, err, out)
		}
		os.Remove(ran)
	}
}
