package shell

import (
	"io"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/spf13/pflag"
)

// Logging is what a logger is made from.
type Logging struct {
	Format string // logfmt or json
	Level  string // debug, info, warn or error
}

// AddFlags adds --log-format and --log-level, whose defaults are what l holds.
func (l *Logging) AddFlags(flags *pflag.FlagSet) {
	flags.Var(OneOf(&l.Format, "logfmt", "json"), "log-format", "form of the log on stderr: logfmt or json")
	flags.Var(OneOf(&l.Level, "debug", "info", "warn", "error"), "log-level", "least level that is logged: debug, info, warn or error")
}

// NewLogger returns a logger of lines that begin with the time, in UTC. It may be used concurrently.
func (l Logging) NewLogger(w io.Writer) kitlog.Logger {
	logger := kitlog.NewLogfmtLogger(kitlog.NewSyncWriter(w))
	if l.Format == "json" {
		logger = kitlog.NewJSONLogger(kitlog.NewSyncWriter(w))
	}
	logger = kitlog.With(logger, "ts", kitlog.DefaultTimestampUTC)
	return level.NewFilter(logger, level.Allow(level.ParseDefault(l.Level, level.DebugValue())))
}
