package shell

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// A variable that sets nothing is told, and is no error; those of other commands are no mistake.
func TestUnknownVariables(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"DAYTIME_WIAT", "DAYTIME_WIAT sets nothing; did you mean DAYTIME_WAIT?"},
		{"DAYTIME_LOGLEVEL", "DAYTIME_LOGLEVEL sets nothing; did you mean DAYTIME_LOG_LEVEL?"},
		{"DAYTIME_ELSEWERE", "DAYTIME_ELSEWERE sets nothing; did you mean DAYTIME_ELSEWHERE?"},
		{"DAYTIME_FOO", "DAYTIME_FOO sets nothing\""},
		{"DAYTIME_N", "DAYTIME_N sets nothing\""},
		{"DAYTIME_BELOW", ""},
		{"DAYTIME_ELSEWHERE", ""},
		{"DAYTIME_WAIT", ""},
		{"DAYTIMES", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(test.name, "3s")
			var wait time.Duration
			cmd := &cobra.Command{Use: "p", RunE: func(*cobra.Command, []string) error { return nil }}
			cmd.Flags().Var(Duration(&wait, 0), "wait", "")
			below := &cobra.Command{Use: "below", Run: func(*cobra.Command, []string) {}}
			below.Flags().Int("below", 0, "")
			cmd.AddCommand(below)
			var stderr strings.Builder
			stdio := NewStdio(context.Background(), io.Discard, &stderr, "warn")
			stdio.AddFlags(cmd.PersistentFlags(), "")
			stdio.OtherFlags = []string{"elsewhere"}
			code := Execute(t.Context(), cmd, stdio, nil, os.LookupEnv)
			have := stderr.String()
			if code != ExitOK || !strings.Contains(have, test.want) || test.want == "" && have != "" {
				t.Errorf("want 0 and %q, have %d and %q", test.want, code, have)
			}
		})
	}
}
