package shell

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/spf13/pflag"

	"example.com/daytime/sd"
)

// stallTimeout is how long a write to stdout may still take once the program is to end.
const stallTimeout = 200 * time.Millisecond

// ErrStalled is the error of a write to a stdout that nobody reads, at the end of the program.
var ErrStalled = errors.New("nobody reads it")

// A Stdio is standard output and standard error of a program: data goes to Out, messages to stderr.
//
// Neither holds up the program. Lines for stderr wait in one queue of bounded length, the log's and
// those of Print alike, and Execute waits 1 s at most for them at the end. A write to Out waits for
// its reader, as it does in every program, but only until the first signal. It never fails: a
// reader that has gone is no failure of the program, whose exit code is that of its work, and of
// any other reason, such as a disk that is full, Execute makes an error.
//
// A stdout that was closed when the program began (>&-) is no failure either: the Go runtime has
// opened /dev/null in its place, for reading and writing, before any of this runs. Nothing tells that
// from the stdout of those who want no output, such as subprocess.DEVNULL of Python, or "ignore" of
// Node.js.
type Stdio struct {
	Out io.Writer

	// OtherFlags are those of the programs that share the environment, whose variables are no
	// mistake.
	OtherFlags []string

	out    *output // is Out
	stderr io.Writer
	format string // auto, words, logfmt or json
	level  string // least level that is logged
	quiet  bool

	registries atomic.Bool // are several

	once  sync.Once       // makes lines, when the flags are known
	lines *sd.AsyncLogger // of the log and of Print alike
}

// NewStdio returns a Stdio that logs at least the given level, unless flags say otherwise. The end
// of ctx is the first signal.
func NewStdio(ctx context.Context, stdout, stderr io.Writer, level string) *Stdio {
	out := &output{ctx: ctx, w: stdout, failed: make(chan struct{})}
	return &Stdio{Out: out, out: out, stderr: stderr, format: "auto", level: level}
}

// AddFlags adds --log-format, --log-level and --quiet, whose usage says what else is left out.
func (s *Stdio) AddFlags(flags *pflag.FlagSet, quiet string) {
	flags.Var(OneOf(&s.format, "auto", "words", "logfmt", "json"), "log-format",
		"form of the log on stderr: words for people, logfmt or json; auto is words on a terminal "+
			"and logfmt elsewhere")
	flags.Var(OneOf(&s.level, "debug", "info", "warn", "error"), "log-level",
		"least level that is logged: debug, info, warn or error")
	AddSwitch(flags, &s.quiet, "quiet", "q", quiet)
}

// Level is the least level that is logged.
func (s *Stdio) Level() string {
	if s.quiet {
		return "error"
	}
	return s.level
}

// Quiet reports whether nothing but errors is to be on stderr.
func (s *Stdio) Quiet() bool { return s.quiet }

// Logger returns a logger of the level that was asked for. Lines in logfmt and JSON begin with the
// time, in UTC. It is called once the flags are known.
func (s *Stdio) Logger() kitlog.Logger { return s.LoggerAt(s.Level()) }

// LoggerAt returns a logger of another level.
func (s *Stdio) LoggerAt(least string) kitlog.Logger {
	logger := kitlog.With(s.queue(), "ts", kitlog.DefaultTimestampUTC)
	return level.NewFilter(logger, level.Allow(level.ParseDefault(least, level.DebugValue())))
}

// NameRegistries has lines for people name the registry that they are about, for a program that has
// several: what the log has under the key sd.
func (s *Stdio) NameRegistries() { s.registries.Store(true) }

// Put writes text to Out.
func (s *Stdio) Put(text string) { io.WriteString(s.Out, text) }

// Lost reports whether some text for Out is not there, which Execute makes an error.
func (s *Stdio) Lost() bool { return s.out.failure() != nil }

// Print writes text to stderr as it is, after all that was logged before.
func (s *Stdio) Print(text string) { s.queue().Log(verbatim{}, text) }

// Status shows text in the last line of a terminal, under the log, until another one; an empty text
// removes it. If stderr is no terminal it does nothing.
func (s *Stdio) Status(text string) {
	if isTerminal(s.stderr) {
		s.queue().Log(status{}, text)
	}
}

// The keys of texts that are no log lines.
type (
	verbatim struct{}
	status   struct{}
)

// queue returns the one queue of all lines.
func (s *Stdio) queue() *sd.AsyncLogger {
	s.once.Do(func() {
		s.lines = sd.NewAsyncLogger(&writer{w: s.stderr, lines: s.newLines()})
	})
	return s.lines
}

// A writer writes log lines and texts to stderr, from the goroutine of the queue.
type writer struct {
	w      io.Writer
	lines  kitlog.Logger
	status string // in the last line
}

// clearLine goes to the beginning of the line and erases it (ECMA-48: CR, EL).
const clearLine = "\r\x1b[K"

func (w *writer) Log(keyvals ...any) error {
	if len(keyvals) == 2 && keyvals[0] == (status{}) {
		before := w.status
		if w.status = keyvals[1].(string); w.status == before {
			return nil
		}
		_, err := io.WriteString(w.w, clearLine+w.status)
		return err
	}
	if w.status != "" {
		io.WriteString(w.w, clearLine)
		defer func() { io.WriteString(w.w, w.status) }()
	}
	if len(keyvals) == 2 && keyvals[0] == (verbatim{}) {
		_, err := io.WriteString(w.w, keyvals[1].(string))
		return err
	}
	return w.lines.Log(levelFirst(keyvals)...)
}

// levelFirst has the level follow the time, in whatever order the loggers of packages and programs
// have put theirs around one another.
func levelFirst(keyvals []any) []any {
	at := 0
	for at < len(keyvals) && keyvals[at] != level.Key() {
		at += 2
	}
	if at <= 2 || at+1 >= len(keyvals) {
		return keyvals
	}
	return slices.Concat(keyvals[:2], keyvals[at:at+2], keyvals[2:at], keyvals[at+2:])
}

func (s *Stdio) newLines() kitlog.Logger {
	switch {
	case s.words():
		return wordsLogger{s.stderr, &s.registries}
	case s.format == "json":
		return kitlog.NewJSONLogger(s.stderr)
	default:
		return kitlog.NewLogfmtLogger(s.stderr)
	}
}

// words reports whether lines are for people.
func (s *Stdio) words() bool {
	return s.format == "words" || s.format == "auto" && isTerminal(s.stderr)
}

// ErrWidth is how wide stderr is, in columns; 0 is unlimited.
func (s *Stdio) ErrWidth() int { return width(s.stderr) }

// OutWidth is how wide stdout is, in columns; 0 is unlimited.
func (s *Stdio) OutWidth() int { return width(s.out.w) }

// Flush waits until stderr has taken all messages, 1 s at most. Execute calls it at the end.
func (s *Stdio) Flush() { s.queue().Close() }

// WithReader returns a context that ends with ctx, and with the reason as its cause when stdout takes
// no more: EPIPE when its reader has gone, such as head(1) after its last line, for which no write is
// needed. It is for work that only a reader ends. The caller must call cancel.
func (s *Stdio) WithReader(ctx context.Context) (_ context.Context, cancel func()) {
	ctx, end := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.out.awaitFailure(ctx); err != nil {
			end(err)
		}
	}()
	return ctx, func() { end(nil); <-ended }
}
