//go:build linux

package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
)

// The commands of README.md about steering succeed as they stand there, one after the other, and
// leave what they say.
func TestSteeringOfREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	scripts := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(scripts) != 1 {
		t.Fatalf("want one script, have %d", len(scripts))
	}
	f := startFleet(t, 4)
	cmd := exec.Command("sh", "-e", "-x", "-c", scripts[0][1])
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+shelltest.Build(t)+":"+os.Getenv("PATH"), "DAYTIME_SD="+f.url,
		"DAYTIME_BY=ops", "TMPDIR="+t.TempDir(),
		"GORACE=atexit_sleep_ms=1") // not a second for each of many commands
	p := shelltest.LaunchCommand(t, cmd)
	p.WantExit(t, shell.ExitOK)
	shelltest.WantText(t, p.Stdout.String(), "dry run, nothing is written\n", ` reason="rack 7"`,
		"192.0.2.1:8897: drained -> undrained", "192.0.2.2:8897: undrained -> withdrawn")
	f.wantPolicy(t, "weight version=2.1 10 by=ops")
	if want, have := strings.Count(scripts[0][1], "daytimecli"), strings.Count(p.Stderr.String(), "+ daytimecli")+
		strings.Count(p.Stderr.String(), "+ EDITOR=true daytimecli"); want != have {
		t.Errorf("want %d commands, have %d:\n%s", want, have, p.Stderr)
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
