// Package shelltest runs a program inside a test, as a command shell would: with arguments, an end,
// an exit code, and texts on stdout and stderr that a test can wait for.
package shelltest

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// Bound is how long a test waits for an event.
const Bound = 10 * time.Second

// NoVariables is an empty environment.
func NoVariables(string) (string, bool) { return "", false }

// A Console takes the output of a program, while others read it.
type Console struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{} // closed at the next write
}

// NewConsole returns an empty Console.
func NewConsole() *Console { return &Console{written: make(chan struct{})} }

// Write never fails.
func (c *Console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.written)
	c.written = make(chan struct{})
	return c.text.Write(p)
}

// String is all that was written so far.
func (c *Console) String() string {
	text, _ := c.read()
	return text
}

func (c *Console) read() (text string, written <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String(), c.written
}

// Await returns once want is written for the nth time.
func (c *Console) Await(t testing.TB, want string, nth int) {
	t.Helper()
	late := time.NewTimer(Bound)
	defer late.Stop()
	for {
		text, written := c.read()
		if strings.Count(text, want) >= nth {
			return
		}
		select {
		case <-written:
		case <-late.C:
			t.Fatalf("want %q %d times, have\n%s", want, nth, text)
		}
	}
}

// A Main is a program without its process. The end of ctx is the first signal.
type Main func(ctx context.Context, args []string, lookup func(string) (string, bool),
	stdout, stderr io.Writer) int

// A Program is a run under way.
type Program struct {
	Stdout, Stderr *Console
	Interrupt      context.CancelCauseFunc
	code           chan int
}

// Start runs main with args, in an empty environment. The end of the test interrupts it.
func Start(t testing.TB, main Main, args ...string) *Program {
	ctx, cancel := context.WithCancelCause(t.Context())
	p := &Program{NewConsole(), NewConsole(), cancel, make(chan int, 1)}
	go func() { p.code <- main(ctx, args, NoVariables, p.Stdout, p.Stderr) }()
	t.Cleanup(func() { cancel(nil) })
	return p
}

// Exit waits for the end and returns the exit code. It is called once.
func (p *Program) Exit(t testing.TB) int {
	t.Helper()
	late := time.NewTimer(Bound)
	defer late.Stop()
	select {
	case code := <-p.code:
		return code
	case <-late.C:
		t.Fatalf("still running; stdout\n%s\nstderr\n%s", p.Stdout, p.Stderr)
		return -1
	}
}

// Finish is Exit that wants a code, and returns the output.
func (p *Program) Finish(t testing.TB, want int) (stdout, stderr string) {
	t.Helper()
	if have := p.Exit(t); have != want {
		t.Errorf("want exit code %d, have %d; stdout\n%s\nstderr\n%s", want, have, p.Stdout, p.Stderr)
	}
	return p.Stdout.String(), p.Stderr.String()
}

// Golden compares have with a file in testdata, which UPDATE_GOLDEN=1 writes.
func Golden(t testing.TB, name, have string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(have), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if have != string(want) {
		t.Errorf("%s: want\n%s\nhave\n%s\nUPDATE_GOLDEN=1 takes this over", path, want, have)
	}
}

// WantText wants have to hold every one of wants.
func WantText(t testing.TB, have string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(have, want) {
			t.Errorf("want %q in\n%s", want, have)
		}
	}
}

// WantWidth wants no line of have to be wider than columns.
func WantWidth(t testing.TB, have string, columns int) {
	t.Helper()
	for line := range strings.Lines(have) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > columns {
			t.Errorf("want %d columns, have %d: %s", columns, n, line)
		}
	}
}
