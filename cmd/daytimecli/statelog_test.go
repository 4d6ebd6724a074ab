package main

import (
	"strings"
	"testing"

	"github.com/go-kit/log/level"

	"example.com/daytime/cmd/internal/shell"
)

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
		l := newStateLog(stdio)
		for _, line := range strings.Fields(test.lines) {
			switch line {
			case "mute", "unmute":
				l.mute(line == "mute")
			case "live":
				level.Info(l).Log("msg", statePrefix+line)
			case "refused":
				level.Warn(l).Log("msg", line)
			default:
				level.Warn(l).Log("msg", statePrefix+line)
			}
		}
		stdio.Flush()
		var have []string
		for line := range strings.Lines(stderr.String()) {
			_, message, _ := strings.Cut(strings.TrimSpace(line), "msg=")
			have = append(have, strings.TrimPrefix(strings.Trim(message, `"`), statePrefix))
		}
		if have := strings.Join(have, " "); test.want != have {
			t.Errorf("%s, %s: want %q, have %q", test.level, test.lines, test.want, have)
		}
	}
}
