package statelog

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-kit/log/level"
	"go.uber.org/goleak"

	"example.com/daytime/cmd/internal/shell"
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
		var have []string
		for line := range strings.Lines(stderr.String()) {
			_, message, _ := strings.Cut(strings.TrimSpace(line), "msg=")
			have = append(have, strings.TrimPrefix(strings.Trim(message, `"`), StatePrefix))
		}
		if have := strings.Join(have, " "); test.want != have {
			t.Errorf("%s, %s: want %q, have %q", test.level, test.lines, test.want, have)
		}
	}
}
