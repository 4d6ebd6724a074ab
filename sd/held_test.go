package sd_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	kitlog "github.com/go-kit/log"
)

// What a Watch waits for is in the log after 3 s, and again when it is something else; a client that
// starts a moment before its first server hears nothing of it.
func TestReasonOfAWatchThatHolds(t *testing.T) {
	for _, test := range []struct {
		name  string
		fails error         // at first
		until time.Duration // then there is a set
		want  []string
	}{
		{"a healthy start", nil, 2 * time.Second, []string{"level=info live"}},
		{"no directory", nil, 10 * time.Second, []string{"level=warn unknown " + errNoDirectory.Error(), "level=info live"}},
		{"no directory for long", nil, 4 * time.Minute, []string{"level=warn unknown " + errNoDirectory.Error(),
			"level=warn unknown " + errNoDirectory.Error(), "level=info live"}},
		{"after an outage", errDown, 10 * time.Second, []string{"level=warn unknown registry down", "level=info live"}},
		{"long after an outage", errDown, time.Minute, []string{"level=warn unknown registry down",
			"level=warn unknown " + errNoDirectory.Error(), "level=info live"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var lines []string
				logger := kitlog.LoggerFunc(func(keyvals ...any) error {
					line := fmt.Sprintf("%v=%v %v", keyvals[0], keyvals[1], strings.TrimPrefix(fmt.Sprint(keyvals[3]), "discovery "))
					if n := slices.Index(keyvals, any("err")); n >= 0 {
						line += fmt.Sprint(" ", keyvals[n+1])
					}
					lines = append(lines, line)
					return nil
				})
				s := &source{changes: make(chan sd.Change), failures: make(chan error)}
				i := sd.NewInstancer(&waiting{s, errNoDirectory}, logger)
				defer i.Stop()
				if test.fails != nil {
					s.fail(test.fails)
				}
				pass(test.until)
				s.emit(reset(alice))
				pass(time.Hour)
				same(t, "lines", test.want, lines)
			})
		})
	}
}

var errNoDirectory = fmt.Errorf("/payments: %w", sd.ErrNoDirectory)

// A waiting Backend says why it waits.
type waiting struct {
	*source
	why error
}

func (b *waiting) Err() error { return b.why }
