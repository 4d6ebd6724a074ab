package listing

import (
	"testing"
	"time"

	"example.com/daytime/sd"
)

func TestChanges(t *testing.T) {
	noon := time.Date(2026, 2, 22, 13, 0, 0, 5e6, time.FixedZone("CET", 3600))
	change := sd.Change{Up: []string{"b", "a"}, Down: []string{"d", "c"}, Withdrew: []string{"c"}}
	want := "2026-02-22T12:00:00.005Z leave c\n2026-02-22T12:00:00.005Z leave d\n" +
		"2026-02-22T12:00:00.005Z join a\n2026-02-22T12:00:00.005Z join b\n"
	if have := Changes("text", noon, change); want != have {
		t.Errorf("want %q, have %q", want, have)
	}
	want = `{"time":"2026-02-22T12:00:00.005Z","event":"leave","instance":"c","withdrew":true}` +
		"\n" +
		`{"time":"2026-02-22T12:00:00.005Z","event":"leave","instance":"d","withdrew":false}` + "\n"
	if have := Changes("json", noon, sd.Change{Down: change.Down,
		Withdrew: change.Withdrew}); want != have {
		t.Errorf("want %q, have %q", want, have)
	}
}
