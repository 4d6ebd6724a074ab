package sd_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// What go-kit's loggers do with a line, the adapter of the documentation does.
func TestSlogLogger(t *testing.T) {
	var out strings.Builder
	l := slogLogger{slog.NewTextHandler(&out, &slog.HandlerOptions{
		Level: slog.LevelInfo,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})}
	for _, test := range []struct {
		log  func()
		want string
	}{
		{func() { l.Log("msg", "live", "instances", 3) }, "level=INFO msg=live instances=3\n"},
		{func() { level.Warn(l).Log("msg", "stale", "err", errors.New("cut off")) },
			"level=WARN msg=stale err=\"cut off\"\n"},
		{func() { level.Error(l).Log("msg", "broken") }, "level=ERROR msg=broken\n"},
		{func() { level.Debug(l).Log("msg", "not enabled") }, ""},
		{func() { kitlog.With(l, "n", kitlog.Valuer(func() any { return 1 })).Log("msg", "x") },
			"level=INFO msg=x n=1\n"},
		{func() { l.Log("instances") }, "level=INFO msg=\"\" instances=(MISSING)\n"},
		{func() { l.Log("level", "loud", "msg", "kept") }, "level=INFO msg=kept level=loud\n"},
		{func() { l.Log() }, "level=INFO msg=\"\"\n"},
	} {
		out.Reset()
		if test.log(); test.want != out.String() {
			t.Errorf("want %q, have %q", test.want, out.String())
		}
	}
}

// An error of the handler is one of Log.
func TestSlogLoggerFails(t *testing.T) {
	l := slogLogger{slog.NewTextHandler(full{}, nil)}
	if err := l.Log("msg", "lost"); !errors.Is(err, errFull) {
		t.Errorf("want %v, have %v", errFull, err)
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
