package export_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/cmd/internal/export"
)

// keep runs a Keeper of a file for a minute, which is told of one change: that there is a list.
// Halfway the list has another text.
func keep(t *testing.T, file export.File) (written string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var text atomic.Value
		text.Store("first")
		time.AfterFunc(30*time.Second, func() { text.Store("second") })
		export.Keeper{
			File:   file,
			Format: func([]export.Server) (string, error) { return text.Load().(string), nil },
			List:   func() []export.Server { return nil },
			Logger: kitlog.NewNopLogger(),
		}.Watch(ctx, func(changed func()) (stop func()) {
			changed()
			return func() {}
		})
	})
	data, err := os.ReadFile(file.Path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A tag that changes while its server stays is no change of the set, and is written all the same.
func TestKeeperWritesWhatNoChangeTells(t *testing.T) {
	if have := keep(t, export.File{Path: filepath.Join(t.TempDir(), "file")}); have != "second" {
		t.Errorf("want the second text, have %q", have)
	}
}

// A command that failed is run again, though the file is as it should be.
func TestKeeperRunsTheCommandAgain(t *testing.T) {
	dir := t.TempDir()
	runs := filepath.Join(dir, "runs")
	keep(t, export.File{Path: filepath.Join(dir, "file"),
		Then: "echo run >>" + runs + "; test $(wc -l <" + runs + ") -gt 2"})
	data, err := os.ReadFile(runs)
	if err != nil {
		t.Fatal(err)
	}
	// Two that fail, one that does not, and one after the second text.
	if have := strings.Count(string(data), "run"); have != 4 {
		t.Errorf("runs: want 4, have %d", have)
	}
}
