package shelltest

import (
	"context"
	"fmt"
	"io"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// waits writes a line, waits for its end, and writes why it came.
func waits(ctx context.Context, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) int {
	_, found := lookup("HOME")
	fmt.Fprintln(stdout, args, found)
	<-ctx.Done()
	fmt.Fprintln(stderr, context.Cause(ctx))
	return len(args)
}

func TestProgram(t *testing.T) {
	p := Start(t, waits, "a", "b")
	p.Stdout.Await(t, "b", 1)
	p.Interrupt(io.EOF)
	stdout, stderr := p.Finish(t, 2)
	if want := "[a b] false\n"; stdout != want {
		t.Errorf("want %q, have %q", want, stdout)
	}
	if want := "EOF\n"; stderr != want {
		t.Errorf("want %q, have %q", want, stderr)
	}
}

func TestConsoleAwaitsTheNth(t *testing.T) {
	c := NewConsole()
	go func() {
		for range 3 {
			fmt.Fprintln(c, "tick")
		}
	}()
	c.Await(t, "tick\n", 3)
	WantText(t, c.String(), "tick\ntick\ntick\n")
}

// A complaint notes whether a helper found fault.
type complaint struct {
	testing.TB
	made bool
}

func (c *complaint) Errorf(string, ...any) { c.made = true }

func TestHelpersFindFault(t *testing.T) {
	for name, check := range map[string]func(testing.TB){
		"exit code": func(t testing.TB) {
			p := Start(t, waits, "a")
			p.Interrupt(nil)
			p.Finish(t, 0)
		},
		"text":   func(t testing.TB) { WantText(t, "noon", "noon", "moon") },
		"width":  func(t testing.TB) { WantWidth(t, "noon\nmidnight\n", 7) },
		"golden": func(t testing.TB) { Golden(t, "../shelltest.go", "") },
	} {
		t.Setenv("UPDATE_GOLDEN", "")
		c := &complaint{TB: t}
		if check(c); !c.made {
			t.Errorf("%s: want a complaint, have none", name)
		}
	}
}

func Example() {
	stdout := NewConsole()
	stdout.Write([]byte("noon\n"))
	fmt.Print(stdout)
	// Output: noon
}
