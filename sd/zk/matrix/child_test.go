package matrix

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
	"example.com/daytime/service"
)

// What a child process is told by its environment.
const (
	roleVariable     = "MATRIX_ROLE"
	targetVariable   = "MATRIX_TARGET"
	instanceVariable = "MATRIX_INSTANCE"
	versionVariable  = "MATRIX_VERSION" // of the server, as its tag
)

const roleServer = "server"

// runChild is the main of a child process. The end of its standard input is the end of its parent.
func runChild(role string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	serve := map[string]func(context.Context) error{roleServer: serveUntil, roleFirst: serveFirst}[role]
	if serve == nil {
		return complain(runAgent(role))
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	return complain(serve(ctx))
}

// complain returns the exit code for err.
func complain(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// serveUntil is a daytime server until ctx is done.
func serveUntil(ctx context.Context) error {
	target, err := sd.ParseTarget(os.Getenv(targetVariable))
	if err != nil {
		return err
	}
	instance := os.Getenv(instanceVariable)
	logger := kitlog.NewLogfmtLogger(kitlog.NewSyncWriter(os.Stderr))
	s, err := startServer(target, instance, service.New(instance), logger,
		ofVersion(os.Getenv(versionVariable)))
	if err != nil {
		return err
	}
	<-ctx.Done()
	return s.close(drainTime)
}

// ofVersion is what a server says of itself.
func ofVersion(version string) sd.RegistrarOption {
	a := policy.Attributes{}
	if version != "" {
		a.Tags = map[string]string{"version": version}
	}
	return sd.Attributes(a)
}

// A child is a process of this test binary. One goroutine drives it.
type child struct {
	instance string
	cmd      *exec.Cmd
	started  time.Time
	output   *buffer
	stdin    io.WriteCloser
	ended    chan struct{} // closed once the process is reaped
	err      error         // how it ended; read after ended
}

// startChild runs a role until the end of the test, or until it is killed.
func startChild(t testing.TB, role, target, instance string, env ...string) *child {
	t.Helper()
	c, err := launchChild(&buffer{}, role, target, instance, env...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("%s %s said:\n%s", role, instance, c.output)
		}
	})
	return c
}

// launchChild runs a role until it is killed. What it says goes to output.
func launchChild(output *buffer, role, target, instance string, env ...string) (*child, error) {
	c := &child{instance: instance, cmd: exec.Command(os.Args[0]), output: output,
		ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), roleVariable+"="+role, targetVariable+"="+target,
		instanceVariable+"="+instance,
		"GORACE=atexit_sleep_ms=1") // the race detector has a program that ends wait for 1 s
	c.cmd.Env = append(c.cmd.Env, env...)
	c.cmd.Stdout, c.cmd.Stderr = c.output, c.output
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	c.started = time.Now()
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// kill is kill -9, and waits for the end.
func (c *child) kill() {
	c.cmd.Process.Kill() // an error means that it has ended
	<-c.ended
}

// signal sends sig.
func (c *child) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(sig); err != nil {
		t.Errorf("signal %v to %s: %v", sig, c.instance, err)
	}
}

// terminate sends SIGTERM and returns how long the process took to end well.
func (c *child) terminate(t testing.TB, bound time.Duration) time.Duration {
	t.Helper()
	begun := time.Now()
	c.signal(t, syscall.SIGTERM)
	late := time.NewTimer(bound)
	defer late.Stop()
	select {
	case <-c.ended:
	case <-late.C:
		t.Errorf("%s has not ended %v after SIGTERM", c.instance, bound)
		c.kill()
	}
	if c.err != nil {
		t.Errorf("%s ended with %v", c.instance, c.err)
	}
	return time.Since(begun)
}

// A buffer is a bytes.Buffer for several goroutines. It keeps the last bytes only, if it has a
// limit.
type buffer struct {
	limit int // 0: none
	mu    sync.Mutex
	text  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.limit > 0 && b.text.Len() > b.limit {
		b.text.Next(b.text.Len() - b.limit/2)
	}
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
