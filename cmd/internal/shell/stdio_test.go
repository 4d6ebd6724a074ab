package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// parsed returns a Stdio with args as its flags, and its stderr.
func parsed(t *testing.T, args ...string) (*Stdio, *strings.Builder) {
	t.Helper()
	stderr := new(strings.Builder)
	s := NewStdio(t.Context(), io.Discard, stderr, "info")
	flags := pflag.NewFlagSet("p", pflag.ContinueOnError)
	s.AddFlags(flags, "errors alone")
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return s, stderr
}

func TestLogger(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"--log-level=debug", `^ts=\S+Z level=debug msg=a\nts=\S+Z level=info msg=b\n`},
		{"", `^ts=\S+Z level=info msg=b\n`},
		{"--log-format=logfmt --log-level=error", `^ts=\S+Z level=error msg=e\n$`},
		{"-q", `^ts=\S+Z level=error msg=e\n$`},
		{"-q --log-level=debug", `^ts=\S+Z level=error msg=e\n$`},
		{"--log-format=json --log-level=warn", `^{"level":"warn","msg":"d","ts":"[^"]+Z"}\n`},
		{"--log-format=words --log-level=debug", `^debug: a\nb\nwarning: d\nerror: e\n$`},
	} {
		stdio, stderr := parsed(t, strings.Fields(test.args)...)
		logger := stdio.Logger()
		level.Debug(logger).Log("msg", "a")
		level.Info(logger).Log("msg", "b")
		level.Warn(logger).Log("msg", "d")
		level.Error(logger).Log("msg", "e")
		stdio.Flush()
		if have := stderr.String(); !regexp.MustCompile(test.want).MatchString(have) {
			t.Errorf("%s: want %s, have %s", test.args, test.want, have)
		}
	}
}

func TestWords(t *testing.T) {
	refused := errors.New("transport: 192.0.2.1:1: cannot connect: dial tcp 192.0.2.1:1: connect: connection refused")
	for _, test := range []struct {
		want    string
		keyvals []any
	}{
		{"registered\n", []any{"msg", "registered"}},
		{"192.0.2.1:1: registered\n", []any{"instance", "192.0.2.1:1", "msg", "registered"}},
		{"shutting down (drain 1s): boom\n", []any{"ts", "now", "sd", "zk://h", "msg", "shutting down", "err", errors.New("boom"), "drain", time.Second}},
		{"request failed: 192.0.2.1:1: connection refused\n", []any{"msg", "request failed", "err", refused}},
		{"zk://h: a; b\n", []any{"msg", fmt.Errorf("zk://h: %w", errors.Join(errors.New("zk: a"), errors.New("b")))}},
		{"timeout; 2 attempts, the last: h: 192.0.2.1:1: refused\n", []any{"err",
			errors.New("context deadline exceeded; 2 attempts, the last: h: dial tcp 192.0.2.1:1: refused")}},
		{"watch /a: no session: h:1: refused\n", []any{"err", "zk: watch /a: no session: h:1: dial tcp h:1: connect: refused"}},
		{"discovery unknown: refused\n", []any{"msg", "discovery unknown", "instances", 0, "err", "zk: refused"}},
		{"192.0.2.1:1: serving\n", []any{"instance", "192.0.2.1:1", "msg", "serving", "listen", "192.0.2.1:1"}},
		{`\x1b[2Jred` + "\n", []any{"msg", "\x1b[2Jred"}},
		{"lost: node of 192.0.2.1:1\n", []any{"instance", "192.0.2.1:1", "msg", "lost", "err", "node of 192.0.2.1:1"}},
	} {
		var b strings.Builder
		wordsLogger{&b, new(atomic.Bool)}.Log(test.keyvals...)
		if have := b.String(); test.want != have {
			t.Errorf("want %q, have %q", test.want, have)
		}
	}
}

// Of several registries a line says which it is about, unless it is all of them, or stands there
// already.
func TestWordsAboutRegistries(t *testing.T) {
	stdio, stderr := parsed(t, "--log-format=words")
	logger := stdio.Logger()
	logger.Log("sd", "zk://h", "msg", "registered")
	stdio.Flush()
	stdio.NameRegistries()
	logger.Log("sd", "zk://h", "instance", "192.0.2.1:1", "msg", "registered")
	level.Warn(logger).Log("sd", "zk://h", "msg", "no answer yet")
	logger.Log("sd", "zk://h etcd://h", "msg", "nobody is registered")
	logger.Log("sd", "zk://h", "msg", "lost", "err", "no session of zk://h")
	stdio.Flush()
	want := "registered\nzk://h: 192.0.2.1:1: registered\nwarning: zk://h: no answer yet\n" +
		"nobody is registered\nlost: no session of zk://h\n"
	if have := stderr.String(); want != have {
		t.Errorf("want %q, have %q", want, have)
	}
}

// A text of Print has its place among the lines of the log.
func TestPrint(t *testing.T) {
	stdio, stderr := parsed(t, "--log-format=words")
	logger := stdio.Logger()
	logger.Log("msg", "before")
	stdio.Print("a  table\n")
	logger.Log("msg", "after")
	stdio.Flush()
	if want, have := "before\na  table\nafter\n", stderr.String(); want != have {
		t.Errorf("want %q, have %q", want, have)
	}
}

// A stalled is a writer that takes nothing until its end.
type stalled chan struct{}

func (s stalled) Write([]byte) (int, error) { <-s; return 0, io.ErrClosedPipe }

func TestStderrThatStalls(t *testing.T) {
	stderr := make(stalled)
	defer close(stderr)
	stdio := NewStdio(t.Context(), io.Discard, stderr, "info")
	begin := time.Now()
	for range 5000 {
		stdio.Logger().Log("msg", "again")
	}
	stdio.Print("summary\n")
	if have := time.Since(begin); have > time.Second {
		t.Errorf("want nobody held up, have %v", have)
	}
	stdio.Flush()
	if have := time.Since(begin); have > 3*time.Second {
		t.Errorf("want a flush of 1 s at most, have %v", have)
	}
}

func TestStdoutThatStalls(t *testing.T) {
	stdout := make(stalled)
	defer close(stdout)
	ctx, cancel := context.WithCancel(t.Context())
	stdio := NewStdio(ctx, stdout, io.Discard, "info")
	written := make(chan struct{})
	go func() {
		stdio.Put("reply")
		close(written)
	}()
	select {
	case <-written:
		t.Fatal("want the write to wait for its reader")
	case <-time.After(3 * stallTimeout):
	}
	cancel()
	<-written
	if have := stdio.out.err; !errors.Is(have, ErrStalled) || stdio.out.failure() != nil {
		t.Errorf("want %v, and no failure, have %v", ErrStalled, have)
	}
	fastest := stallTimeout
	for range 5 { // a busy machine may delay one
		begin := time.Now()
		stdio.Put("another")
		fastest = min(fastest, time.Since(begin))
	}
	if fastest > stallTimeout/2 {
		t.Error("want no write after one that was given up")
	}
}

// A broken is a stdout that cannot be written to.
type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

// A reader that has gone is no failure and hides none; a disk that is full is one, whatever writes.
func TestStdoutThatFails(t *testing.T) {
	boom := errors.New("boom")
	for _, test := range []struct {
		stdout  error
		args    string
		verdict error
		code    int
		stderr  string
	}{
		{syscall.EPIPE, "", nil, ExitOK, ""},
		{syscall.EPIPE, "", boom, ExitFailure, "msg=boom"},
		{syscall.EPIPE, "--help", nil, ExitOK, ""},
		{syscall.ENOSPC, "", nil, ExitFailure, `msg="stdout: no space left on device"`},
		{syscall.ENOSPC, "", boom, ExitFailure, "msg=boom"},
		{syscall.ENOSPC, "", UsageError("", boom), ExitUsage, "p: boom"},
		{syscall.ENOSPC, "--help", nil, ExitFailure, `msg="stdout: no space left on device"`},
		{syscall.ENOSPC, "--version", nil, ExitFailure, `msg="stdout: no space left on device"`},
	} {
		stderr := new(strings.Builder)
		stdio := NewStdio(t.Context(), broken{test.stdout}, stderr, "info")
		cmd := &cobra.Command{Use: "p", RunE: func(*cobra.Command, []string) error {
			for range 2 {
				stdio.Put("text\n")
			}
			return test.verdict
		}}
		have := Execute(t.Context(), cmd, stdio, strings.Fields(test.args), noVariables)
		told := strings.Count(stderr.String(), "stdout: ") == 1
		if have != test.code || !strings.Contains(stderr.String(), test.stderr) ||
			told != (test.stdout == syscall.ENOSPC) || test.stderr == "" && stderr.Len() > 0 {
			t.Errorf("%+v: have %d, %q", test, have, stderr)
		}
	}
}

func TestReaderThatGoes(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	stdio := NewStdio(t.Context(), w, io.Discard, "info")
	ctx, cancel := stdio.WithReader(t.Context())
	defer cancel()
	select {
	case <-ctx.Done():
		t.Fatal("want the reader awaited, have none")
	case <-time.After(2 * readerInterval):
	}
	r.Close()
	<-ctx.Done()
	if have := context.Cause(ctx); !errors.Is(have, syscall.EPIPE) {
		t.Errorf("want EPIPE, have %v", have)
	}
}

// Only a pipe or a socket has a reader that can go; the failure of a write is noticed for all.
func TestFileHasNoReader(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, w := range []io.Writer{f, io.Discard} {
		if pipeOf(w) != nil {
			t.Errorf("%T: want a stdout without reader left alone", w)
		}
	}
	stdio := NewStdio(t.Context(), broken{syscall.ENOSPC}, io.Discard, "info")
	ctx, cancel := stdio.WithReader(t.Context())
	defer cancel()
	stdio.Put("text")
	<-ctx.Done()
	if have := context.Cause(ctx); !errors.Is(have, syscall.ENOSPC) {
		t.Errorf("want ENOSPC, have %v", have)
	}
}

func TestDescribe(t *testing.T) {
	for _, test := range []struct {
		info debug.BuildInfo
		want string
	}{
		{debug.BuildInfo{}, "devel go"},
		{debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123456789abcdef0123"}, {Key: "vcs.modified", Value: "true"}}},
			"devel commit 0123456789ab modified go"},
		{debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "v1.2.3 go"},
	} {
		if have := describe(&test.info); !strings.HasPrefix(have, test.want) {
			t.Errorf("want %q, have %q", test.want, have)
		}
	}
}

// The keys have one order, whether the level was put before the others or after them.
func TestOrderOfKeys(t *testing.T) {
	var stderr strings.Builder
	stdio := NewStdio(t.Context(), io.Discard, &stderr, "info")
	logger := kitlog.With(stdio.Logger(), "sd", "zk://192.0.2.1")
	level.Warn(kitlog.LoggerFunc(logger.Log)).Log("msg", "a") // as through an AsyncLogger
	kitlog.With(level.Warn(stdio.Logger()), "sd", "zk://192.0.2.1").Log("msg", "b")
	stdio.Logger().Log("msg", "c")
	stdio.Flush()
	for line := range strings.Lines(stderr.String()) {
		_, have, _ := strings.Cut(line, " ")
		want := "level=warn sd=zk://192.0.2.1 msg="
		if have != "msg=c\n" && !strings.HasPrefix(have, want) {
			t.Errorf("want %s, have %s", want, line)
		}
	}
}
