package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
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

// A file that may not be read has the second of every other that cannot be taken: the permission is
// often given after the rename. Only then it is denied, and each such second begins anew.
func TestPermissionFollows(t *testing.T) {
	denied := fmt.Errorf("open: %w", fs.ErrPermission)
	synctest.Test(t, func(t *testing.T) {
		var up []string
		w := watching{emit: func(c sd.Change) { up = c.Up }}
		take := func(read error) error {
			pause, err := w.take(list{entries: []policy.Entry{{Instance: alice}}}, read)
			if time.Sleep(pause); err == nil && read == denied && pause != retryEvery {
				t.Errorf("want a look after %v, have a pause of %v", retryEvery, pause)
			}
			return err
		}
		must(t, take(denied), take(fs.ErrNotExist), take(denied), take(nil))
		if !slices.Equal(up, []string{alice}) {
			t.Errorf("want the file's set, have %v", up)
		}
		for begun := time.Now(); ; {
			err := take(denied)
			if took := time.Since(begun); err != nil && (took < patience || !errors.Is(err, sd.ErrDenied)) {
				t.Errorf("want %v after %v, have %v after %v", sd.ErrDenied, patience, err, took)
			}
			if err != nil {
				if strings.Contains(err.Error(), "registry") {
					t.Errorf("want words for a file, have %v", err)
				}
				return
			}
		}
	})
}
