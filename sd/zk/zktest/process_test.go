package zktest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// script launches a shell that says "ready" once it has begun, and returns it with the path of its
// output.
func script(t *testing.T, commands string) (*process, string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	p, err := launch(exec.Command("sh", "-c", "echo ready; "+commands), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	err = poll(5*time.Second, time.Millisecond, func() error {
		text, err := os.ReadFile(log)
		if err == nil && len(text) == 0 {
			err = errors.New("silent")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, log
}

func TestTerminate(t *testing.T) {
	for name, test := range map[string]struct {
		commands string
		want     string // how it ended
	}{
		"obedient": {"while :; do sleep 0.01; done", "terminated"},
		"stubborn": {"trap '' TERM; echo deaf; while :; do sleep 0.01; done", "killed"},
	} {
		t.Run(name, func(t *testing.T) {
			p, log := script(t, test.commands)
			if strings.Contains(test.commands, "deaf") {
				awaitText(t, log, "deaf")
			}
			if err := p.terminate(200 * time.Millisecond); err != nil {
				t.Fatal(err)
			}
			if have := p.cmd.ProcessState.String(); !strings.Contains(have, test.want) {
				t.Errorf("end: want %q, have %q", test.want, have)
			}
		})
	}
}

func awaitText(t *testing.T, path, want string) {
	t.Helper()
	err := poll(5*time.Second, time.Millisecond, func() error {
		text, err := os.ReadFile(path)
		if err == nil && !strings.Contains(string(text), want) {
			err = errors.New("missing")
		}
		return err
	})
	if err != nil {
		t.Fatalf("%q in %s: %v", want, path, err)
	}
}

func TestEndedProcess(t *testing.T) {
	p, _ := script(t, "exit 3")
	<-p.done
	if !p.exited() {
		t.Error("exited: want true, have false")
	}
	if err := p.kill(); err != nil {
		t.Errorf("kill: want no error, have %v", err)
	}
	if err := p.terminate(time.Second); err != nil {
		t.Errorf("terminate: want no error, have %v", err)
	}
	if err := p.freeze(time.Second); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("freeze: want %v, have %v", os.ErrProcessDone, err)
	}
}

func TestFreezeStopsAtOnce(t *testing.T) {
	p, log := script(t, "while :; do echo x; done")
	for range 20 {
		if err := p.freeze(time.Second); err != nil {
			t.Fatal(err)
		}
		frozen := size(t, log)
		if have := size(t, log); frozen != have {
			t.Fatalf("output grew from %d to %d bytes while frozen", frozen, have)
		}
		if err := p.thaw(); err != nil {
			t.Fatal(err)
		}
		err := poll(5*time.Second, time.Millisecond, func() error {
			if size(t, log) == frozen {
				return errors.New("no output")
			}
			return nil
		})
		if err != nil {
			t.Fatalf("after thaw: %v", err)
		}
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestLaunchReportsMissingProgram(t *testing.T) {
	_, err := launch(exec.Command("/nonexistent/java"), filepath.Join(t.TempDir(), "log"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("want %v, have %v", os.ErrNotExist, err)
	}
}

func TestPollReturnsTheLastError(t *testing.T) {
	calls := 0
	err := poll(10*time.Millisecond, time.Millisecond, func() error {
		calls++
		return errors.New("not yet")
	})
	if err == nil || calls < 2 {
		t.Errorf("want the error of several calls, have %v after %d", err, calls)
	}
}
