// Package statelog decides what of the log of a discovery an operator is shown: warnings, and the
// end of each that was shown.
//
//	states := statelog.New(stdio)
//	instancer := sd.NewInstancer(backend, states)
//	pool := lb.NewPool(instancer, factory, statelog.Members(stdio))
package statelog

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

const (
	StatePrefix = "discovery " // begins the messages of an Instancer about its state
	namesPrefix = "left out "  // begins the one about names that are no instances
	live        = StatePrefix + string(sd.Live)
	policyNews  = "policy" // is the one about another policy
)

// A Log is the log of an Instancer. By default warnings are shown and information is not, so
// that an operator would see discovery go stale and never hear that it is live again. A Log
// shows the end of every warning that it has shown; that discovery is live at the start is still no
// news, and neither is another policy, nor what is wrong with it as a text, of which there is a line
// by itself. Lines about anything else go through: they are warnings, or the end of one. A reason is
// told by a line about the state or by one of another kind, such as a Notice's, and not by the second
// after the first, unless that reminds of it.
type Log struct {
	next kitlog.Logger
	all  bool // information is shown anyway

	namesTold bool // the command itself tells which names were left out

	mu     sync.Mutex
	muted  bool
	warned bool // that discovery is not live
	last   reason
}

// A reason is what a line gives for there being no list: its error, or its message.
type reason struct {
	ofState bool // it is in a line about the state
	text    string
}

// New returns a Log that writes to stdio. With names, those that were left out are told; without,
// the caller tells them.
func New(stdio *shell.Stdio, names bool) *Log {
	if stdio.Level() == "warn" {
		return &Log{next: stdio.LoggerAt("info"), namesTold: !names}
	}
	return &Log{next: stdio.Logger(), all: true, namesTold: !names}
}

// Mute has the changes of the state passed over, while somebody else tells them.
func (l *Log) Mute(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.muted = on
}

// Log implements go-kit's Logger.
func (l *Log) Log(keyvals ...any) error {
	message, _ := value(keyvals, "msg").(string)
	if err, _ := value(keyvals, "err").(error); message == live && IsTold(err) {
		keyvals = []any{level.Key(), level.InfoValue(), "msg", live,
			"instances", value(keyvals, "instances")}
	}
	if strings.HasPrefix(message, StatePrefix) && !l.tells(keyvals) ||
		!strings.HasPrefix(message, StatePrefix) && l.repeats(reason{false, message}) ||
		strings.HasPrefix(message, namesPrefix) && l.namesTold ||
		message == policyNews && !l.all {
		return nil
	}
	return l.next.Log(keyvals...)
}

// tells reports whether a change of the state is worth a line.
func (l *Log) tells(keyvals []any) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.muted {
		return false
	}
	now := reason{true, fmt.Sprint(value(keyvals, "err"))}
	if l.repeatsLocked(now) && value(keyvals, "for") == nil {
		return false
	}
	before := l.warned
	l.warned = value(keyvals, level.Key()) == level.WarnValue()
	return l.warned || before || l.all
}

// repeats reports whether r was the reason of the line before, which was one of the other kind.
func (l *Log) repeats(r reason) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.repeatsLocked(r)
}

func (l *Log) repeatsLocked(r reason) bool {
	before := l.last
	l.last = r
	return before.text == r.text && before.ofState != r.ofState
}

// IsTold reports whether err, of a state, says nothing but what is wrong with the policy as a text,
// which the log has told by itself.
func IsTold(err error) bool {
	for err != nil {
		switch e := err.(type) {
		case *policy.Problem:
			return true
		case interface{ Unwrap() []error }:
			all := e.Unwrap()
			if len(all) > 1 && all[0] != policy.ErrUnreadable {
				return false
			}
			err = all[len(all)-1]
		default:
			err = errors.Unwrap(err)
		}
	}
	return false
}

// HasWarned reports whether it was told that discovery is not live, and is not over.
func (l *Log) HasWarned() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.warned
}

// value returns the value that a line has under key.
func value(keyvals []any, key any) any {
	for i := 0; i+1 < len(keyvals); i += 2 {
		if keyvals[i] == key {
			return keyvals[i+1]
		}
	}
	return nil
}

// returnMessage is that of a Pool about a server that was set aside.
const returnMessage = "answers again"

// Members is the log of a Pool. What it says of its members is a warning, and the end of one is
// shown where warnings are.
func Members(stdio *shell.Stdio) kitlog.Logger { return memberLog{stdio} }

type memberLog struct{ stdio *shell.Stdio }

func (l memberLog) Log(keyvals ...any) error {
	switch {
	case value(keyvals, "msg") != returnMessage:
		return level.Warn(l.stdio.Logger()).Log(keyvals...)
	case l.stdio.Level() == "warn":
		return level.Info(l.stdio.LoggerAt("info")).Log(keyvals...)
	default:
		return level.Info(l.stdio.Logger()).Log(keyvals...)
	}
}
