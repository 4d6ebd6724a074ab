package gate

import (
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/policy"
)

// A Gate withholds what a line withdraws, for as long as that line holds, and keeps the last policy
// that was readable.
func TestGate(t *testing.T) {
	now := time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)
	entry := policy.Entry{Instance: "192.0.2.1:8897",
		Attributes: policy.Attributes{Tags: map[string]string{"version": "2"}}}
	var gate Gate
	want := func(what, reason string, until time.Time) {
		t.Helper()
		again, why := gate.Withheld(entry, now)
		have := ""
		if why != nil {
			have = why.Error()
		}
		if have != reason {
			t.Errorf("%s: want %q, have %q", what, reason, have)
		}
		if !again.Equal(until) {
			t.Errorf("%s: to be asked again: want %v, have %v", what, until, again)
		}
	}
	read := func(lines ...string) {
		t.Helper()
		document := strings.Join(append([]string{policy.Header}, lines...), "\n") + "\n"
		if len(lines) == 0 {
			document = ""
		}
		if err := gate.SetPolicy(document); err != nil {
			t.Error(err)
		}
	}
	want("no policy", "", time.Time{})
	read("drain *", "withdraw 192.0.2.2:8897")
	want("others", "", time.Time{})
	end := now.Add(time.Hour)
	read("drain *", "withdraw version=2 until="+end.Format(time.RFC3339)+" by=ops")
	const reason = "withheld by line 3 of the policy: " +
		"withdraw version=2 until=2026-12-01T07:00:00Z by=ops"
	want("by a tag", reason, end)
	if err := gate.SetPolicy("unreadable"); !errors.Is(err, policy.ErrUnreadable) {
		t.Errorf("unreadable: want %v, have %v", policy.ErrUnreadable, err)
	}
	want("unreadable", reason, end)
	now = end
	want("expired", "", time.Time{})
	read()
	want("no policy again", "", time.Time{})
}
