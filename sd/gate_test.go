package sd_test

import (
	"errors"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// A Gate withholds what a line withdraws, for as long as that line holds, and keeps the last policy
// that was readable.
func TestGate(t *testing.T) {
	now := time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)
	entry := policy.Entry{Instance: alice, Attributes: weighs(50, "2")}
	var gate sd.Gate
	want := func(what, reason string, until time.Time) {
		t.Helper()
		again, why := gate.Withheld(entry, now)
		have := ""
		if why != nil {
			have = why.Error()
		}
		same(t, what, reason, have)
		if !again.Equal(until) {
			t.Errorf("%s: to be asked again: want %v, have %v", what, until, again)
		}
	}
	read := func(document string) {
		t.Helper()
		if err := gate.SetPolicy(document); err != nil {
			t.Error(err)
		}
	}
	want("no policy", "", time.Time{})
	read(rules("drain *", "withdraw "+bob))
	want("others", "", time.Time{})
	end := now.Add(time.Hour)
	read(rules("drain *", "withdraw version=2 until="+end.Format(time.RFC3339)+" by=ops"))
	const reason = "withheld by line 3 of the policy: " +
		"withdraw version=2 until=2026-12-01T07:00:00Z by=ops"
	want("by a tag", reason, end)
	if err := gate.SetPolicy("unreadable"); !errors.Is(err, policy.ErrUnreadable) {
		t.Errorf("unreadable: want %v, have %v", policy.ErrUnreadable, err)
	}
	want("unreadable", reason, end)
	now = end
	want("expired", "", time.Time{})
	read("")
	want("no policy again", "", time.Time{})
}
