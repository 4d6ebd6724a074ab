package file

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"example.com/daytime/sd"
)

// seesWithoutEvents checks that a reader sees a change within 2 s. It reads in the surroundings in.
func seesWithoutEvents(t *testing.T, r *reader, in func(func())) {
	t.Helper()
	var up []string
	var pause time.Duration
	w := watching{emit: func(c sd.Change) { up = c.Up }}
	for _, name := range []string{alice, bob} {
		must(t, write(r.path, name))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		for !slices.Contains(up, name) {
			if r.wait(ctx, t.Context(), pause); ctx.Err() != nil {
				t.Fatalf("want %s within 2 s, have %v", name, up)
			}
			var err error
			in(func() { pause, err = w.take(r.read()) })
			must(t, err)
		}
	}
}

// Where the system has no watch to give, the file is read every second.
func TestWithoutEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "servers")
	must(t, write(path, alice))
	r := &reader{path: path, lease: noLease, watched: map[string]struct{}{}}
	seesWithoutEvents(t, r, func(f func()) { f() })
}
