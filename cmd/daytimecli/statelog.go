package main

import (
	"io"
	"strings"
	"sync"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// statePrefix begins the messages in which an Instancer says how its state has changed.
const statePrefix = "discovery "

// newLogger returns the logger of every command. Its lines name the registry they are about.
func (c *config) newLogger(stderr io.Writer) kitlog.Logger {
	return kitlog.With(c.logging.NewLogger(stderr), "sd", c.sd)
}

// A stateLog is what an Instancer logs to. By default warnings are shown and information is not, so that an operator would
// see discovery go stale and never hear that it is live again. A stateLog shows the end of every warning that it has
// shown; that discovery is live at the start is still no news. Lines about anything else go through: they are warnings, or
// the end of one (see absence).
type stateLog struct {
	next kitlog.Logger
	all  bool // information is shown anyway

	mu     sync.Mutex
	muted  bool
	warned bool // that discovery is not live
}

func (c *config) newStateLog(stderr io.Writer) *stateLog {
	logging := c.logging
	if logging.Level == "warn" {
		logging.Level = "info"
	}
	return &stateLog{next: logging.NewLogger(stderr), all: logging.Level == c.logging.Level}
}

// mute has the changes of the state passed over, while somebody else says what there is to say.
func (l *stateLog) mute(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.muted = on
}

func (l *stateLog) Log(keyvals ...any) error {
	if message, _ := value(keyvals, "msg").(string); strings.HasPrefix(message, statePrefix) && !l.tells(keyvals) {
		return nil
	}
	return l.next.Log(keyvals...)
}

// tells reports whether a change of the state is worth a line.
func (l *stateLog) tells(keyvals []any) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.muted {
		return false
	}
	before := l.warned
	l.warned = value(keyvals, level.Key()) == level.WarnValue()
	return l.warned || before || l.all
}

// value returns what a line has under key.
func value(keyvals []any, key any) any {
	for i := 0; i+1 < len(keyvals); i += 2 {
		if keyvals[i] == key {
			return keyvals[i+1]
		}
	}
	return nil
}
