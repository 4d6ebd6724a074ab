package main

import (
	"encoding/json"
	"strings"
	"testing"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/transport/transporttest"
)

// A fleet with the defaults is healthy, unless one is strict; a dead server is an error.
func TestDoctor(t *testing.T) {
	registry, url := shelltest.StartRegistry(t, true)
	register(t, url, 3)
	stdout, stderr := try(t, shell.ExitOK, "doctor", "--sd", url)
	shelltest.WantText(t, stdout, "healthy: 0 errors, 4 warnings; 3 servers, in ", "3 of 3 servers tell the time")
	shelltest.WantWidth(t, stdout, 80)
	if stderr != "" {
		t.Errorf("want nothing on stderr, have %q", stderr)
	}
	stdout, _ = try(t, shell.ExitFailure, "doctor", "--strict", "--sd", url)
	shelltest.WantText(t, stdout, "not healthy: 0 errors, 4 warnings")

	dead := transporttest.FreeAddress(t)
	shelltest.Enter(t, registry, dead)
	stdout, _ = try(t, shell.ExitFailure, "doctor", "--sd", url)
	shelltest.WantText(t, stdout, dead+": connection refused", "not healthy: 2 errors")
	good := "fixed://" + shelltest.Serve(t)
	stdout, _ = try(t, shell.ExitFailure, "doctor", "--sd", url, "--sd", good)
	if want := "\n\nnot healthy: 1 of 2 registries\n"; !strings.HasSuffix(stdout, want) {
		t.Errorf("want the whole at the end, %q, have\n%s", want, stdout)
	}
	stdout, _ = try(t, shell.ExitOK, "doctor", "--sd", good, "--sd", "fixed://"+shelltest.Serve(t))
	shelltest.WantText(t, stdout, "\n\nhealthy: all of 2 registries\n")
	stdout, _ = try(t, shell.ExitFailure, "doctor", "--sd", url, "-o", "json")
	all, _ := try(t, shell.ExitFailure, "doctor", "--sd", url, "-o", "json", "-v")
	severities := map[string]int{}
	for line := range strings.Lines(all) {
		var f map[string]string
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"severity", "registry", "area", "check", "subject", "problem", "advice"} {
			if _, found := f[key]; !found {
				t.Errorf("no key %s in %s", key, line)
			}
		}
		severities[f["severity"]]++
	}
	problems := severities["error"] + severities["warning"]
	if severities["error"] != 2 || severities["ok"] == 0 || severities["unchecked"] == 0 ||
		strings.Count(stdout, "\n") != problems {
		t.Errorf("have %v, and without -v\n%s", severities, stdout)
	}
}

// Without a registry a list is examined as far as that goes, and what is not known is told.
func TestDoctorWithoutRegistry(t *testing.T) {
	one, two := shelltest.Serve(t), shelltest.Serve(t)
	stdout, _ := try(t, shell.ExitOK, "doctor", "--sd", "fixed://"+one+","+two)
	shelltest.WantText(t, stdout, "2 of 2 servers tell the time", "has none", "are not known of fixed://", "healthy:")
	stdout, _ = try(t, shell.ExitFailure, "doctor", "--sd", "zk://"+transporttest.FreeAddress(t), "--timeout", "300ms")
	shelltest.WantText(t, stdout, "connection refused: no ZooKeeper", "not healthy: 1 error")
	shelltest.WantWidth(t, stdout, 80)
}
