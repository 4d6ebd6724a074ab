package statelog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-kit/log/level"
	"go.uber.org/goleak"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// That discovery is live is news only after a warning.
func Example() {
	stdio := shell.NewStdio(context.Background(), nil, io.Discard, "warn")
	log := New(stdio, true)
	for _, phase := range []string{"live", "stale", "live"} {
		severity := level.Info
		if phase == "stale" {
			severity = level.Warn
		}
		severity(log).Log("msg", StatePrefix+phase)
		fmt.Println(log.HasWarned())
	}
	// Output:
	// false
	// true
	// false
}

// A reason is told once, by the line about the state or by another one, until it is told again as a
// reminder; what another line says twice is none of this.
func TestReasonIsToldOnce(t *testing.T) {
	for _, test := range []struct{ lines, want string }{
		{"none none", "none"},
		{"unknown:none", "unknown"},
		{"none unknown:none live", "none"},
		{"unknown:none none live", "unknown live"},
		{"none unknown:none reminder:none live", "none reminder live"},
		{"none unknown:refused live", "none unknown live"},
		{"none somebody none", "none somebody none"},
		{"unknown:none unknown:none", "unknown unknown"},
		{"mute unknown:none unmute none unknown:none", "none"},
	} {
		var stderr strings.Builder
		stdio := shell.NewStdio(t.Context(), nil, &stderr, "warn")
		l := New(stdio, true)
		said := ""
		for _, line := range strings.Fields(test.lines) {
			phase, why, isState := strings.Cut(line, ":")
			switch {
			case phase == "mute" || phase == "unmute":
				l.Mute(phase == "mute")
			case line == "live":
				level.Info(l).Log("msg", StatePrefix+line)
			case phase == "reminder":
				level.Warn(l).Log("msg", StatePrefix+phase, "for", time.Minute, "err", why)
			case isState:
				level.Warn(l).Log("msg", StatePrefix+phase, "err", why)
			case said != line:
				level.Warn(l).Log("msg", line)
				said = line
			}
		}
		stdio.Flush()
		if have := strings.Join(messages(stderr.String()), " "); test.want != have {
			t.Errorf("%s: want %q, have %q", test.lines, test.want, have)
		}
	}
}

// What is wrong with the text of a policy is told by itself, and so not again with the state, unless
// that has more to say.
func TestWrongPolicyIsToldOnce(t *testing.T) {
	lines := fmt.Errorf("policy has 2 wrong lines: %w", &policy.Problem{Line: 2, Column: 1, Cause: "boom"})
	_, unreadable := policy.Parse("boom")
	for _, test := range []struct {
		err   error
		level string
		want  string
	}{
		{lines, "warn", ""},
		{errors.Join(lines), "warn", ""},
		{fmt.Errorf("zk://a: %w", errors.Join(lines)), "warn", ""},
		{lines, "info", `level=info msg="discovery live" instances=3`},
		{fmt.Errorf("not followed: %w", unreadable), "warn", ""},
		{shell.InOneLine(lines, io.EOF), "warn",
			`level=warn msg="discovery live" instances=3 err="policy has 2 wrong lines: policy: line 2, column 1: boom; EOF"`},
		{io.EOF, "warn", `level=warn msg="discovery live" instances=3 err=EOF`},
	} {
		var stderr strings.Builder
		stdio := shell.NewStdio(t.Context(), nil, &stderr, test.level)
		level.Warn(New(stdio, true)).Log("msg", "discovery live", "instances", 3, "err", test.err)
		stdio.Flush()
		_, have, _ := strings.Cut(strings.TrimSpace(stderr.String()), " ")
		if !strings.HasPrefix(have, test.want) || (have == "") != (test.want == "") {
			t.Errorf("%v: want %q, have %q", test.err, test.want, have)
		}
	}
}

// messages are those of lines, without what they begin with if they are about the state.
func messages(lines string) (all []string) {
	for line := range strings.Lines(lines) {
		_, message, _ := strings.Cut(strings.TrimSpace(line), "msg=")
		message = strings.TrimPrefix(strings.TrimPrefix(message, `"`), StatePrefix)
		message, _, _ = strings.Cut(message, " err=")
		message, _, _ = strings.Cut(message, `"`)
		all = append(all, message)
	}
	return all
}

// The end of a warning is shown where the warning was, and nowhere else.
func TestStateLog(t *testing.T) {
	for _, test := range []struct{ level, lines, want string }{
		{"warn", "live", ""},
		{"warn", "stale live", "stale live"},
		{"warn", "live stale stale live live", "stale stale live"},
		{"warn", "unknown live stale live", "unknown live stale live"},
		{"warn", "refused live", "refused"},
		{"warn", "mute stale live unmute live", ""},
		{"warn", "mute refused stale unmute stale live", "refused stale live"},
		{"info", "live stale live", "live stale live"},
		{"info", "mute live unmute live", "live"},
		{"debug", "live", "live"},
		{"error", "stale live refused", ""},
	} {
		var stderr strings.Builder
		stdio := shell.NewStdio(t.Context(), nil, &stderr, test.level)
		l := New(stdio, true)
		for _, line := range strings.Fields(test.lines) {
			switch line {
			case "mute", "unmute":
				l.Mute(line == "mute")
			case "live":
				level.Info(l).Log("msg", StatePrefix+line)
			case "refused":
				level.Warn(l).Log("msg", line)
			default:
				level.Warn(l).Log("msg", StatePrefix+line)
			}
		}
		stdio.Flush()
		if have := strings.Join(messages(stderr.String()), " "); test.want != have {
			t.Errorf("%s, %s: want %q, have %q", test.level, test.lines, test.want, have)
		}
	}
}
