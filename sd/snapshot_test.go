package sd_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	kitsd "github.com/go-kit/kit/sd"
	"github.com/go-kit/log"
)

// snapshotOf runs an Instancer on a registry with instances, and returns the
// file that it leaves.
func snapshotOf(t *testing.T, instances ...string) string {
	file := filepath.Join(t.TempDir(), "snapshot.json")
	registry := mem.NewRegistry()
	for _, s := range instances {
		registry.Put(s)
	}
	i := sd.NewInstancer(registry.Open(), log.NewNopLogger(), sd.Snapshot(file))
	synctest.Wait()
	i.Stop()
	return file
}

// startDown starts an Instancer whose registry fails, and returns the first
// set that it sends, or nil if it sends none.
func startDown(t *testing.T, registry *mem.Registry, file string, logger log.Logger) (*sd.Instancer, []string) {
	registry.Fail(errors.New("down"))
	i := sd.NewInstancer(registry.Open(), logger, sd.Snapshot(file))
	t.Cleanup(i.Stop)
	events := make(chan kitsd.Event, 1)
	i.Register(events)
	t.Cleanup(func() { i.Deregister(events) })
	time.Sleep(time.Second)
	synctest.Wait()
	select {
	case e := <-events:
		return i, e.Instances
	default:
		return i, nil
	}
}

func TestSnapshotStartsAClientWhileTheRegistryIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := snapshotOf(t, alice, bob)
		written := time.Now()
		time.Sleep(time.Hour)
		registry := mem.NewRegistry()
		i, have := startDown(t, registry, file, log.NewNopLogger())
		if want := []string{alice, bob}; !slices.Equal(want, have) {
			t.Fatalf("instances: want %q, have %q", want, have)
		}
		if s := i.State(); s.Phase != sd.Stale || !s.Since.Equal(written) {
			t.Errorf("state: want stale since %v, have %v since %v", written, s, s.Since)
		}
		registry.Put(alice)
		registry.Fail(nil)
		time.Sleep(2 * time.Second)
		if s := i.State(); s.Phase != sd.Live {
			t.Errorf("state: want live, have %v", s)
		}
		later := make(chan kitsd.Event, 1)
		i.Register(later)
		defer i.Deregister(later)
		if have := (<-later).Instances; !slices.Equal([]string{alice}, have) {
			t.Errorf("instances: want the registry's, have %q", have)
		}
	})
}

func TestSnapshotFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := snapshotOf(t, alice)
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if want := os.FileMode(0o600); info.Mode() != want {
			t.Errorf("mode: want %v, have %v", want, info.Mode())
		}
		var doc struct{ Instances []string }
		data, _ := os.ReadFile(file)
		if err := json.Unmarshal(data, &doc); err != nil || !slices.Equal([]string{alice}, doc.Instances) {
			t.Errorf("content: want %q, have %q, %v", alice, data, err)
		}
		if rest, _ := filepath.Glob(filepath.Dir(file) + "/*"); len(rest) != 1 {
			t.Errorf("files: want 1, have %q", rest)
		}
	})
}

// What would be worse than no list is not written: an empty one, and one that
// only came from the file itself.
func TestSnapshotIsNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if file := snapshotOf(t); exists(file) {
			t.Error("an empty set was written")
		}
		file := snapshotOf(t, alice)
		before, _ := os.ReadFile(file)
		time.Sleep(time.Hour)
		i, _ := startDown(t, mem.NewRegistry(), file, log.NewNopLogger())
		i.Stop()
		if after, _ := os.ReadFile(file); string(after) != string(before) {
			t.Errorf("file: want it unchanged, have %q", after)
		}
	})
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// What is in the file, and what the file is, is not trusted.
func TestSnapshotIsChecked(t *testing.T) {
	const good = `{"version":1,"written":"2026-01-02T03:04:05Z","instances":["192.0.2.1:8897"]}`
	for name, test := range map[string]struct {
		content string
		mode    os.FileMode
		want    []string
		logged  string
	}{
		"good":          {good, 0o600, []string{alice}, ""},
		"readable":      {good, 0o644, []string{alice}, ""},
		"writable":      {good, 0o622, nil, "only its owner may write"},
		"not JSON":      {"alice", 0o600, nil, "snapshot not used"},
		"empty":         {"", 0o600, nil, "snapshot not used"},
		"other version": {strings.Replace(good, "1", "2", 1), 0o600, nil, "version 2: want 1"},
		"hostile names": {strings.Replace(good, `["`, `["0.0.0.0:1","example.com:1","`, 1), 0o600, []string{alice}, "left out"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "snapshot.json")
				if err := errors.Join(os.WriteFile(file, []byte(test.content), 0o600), os.Chmod(file, test.mode)); err != nil {
					t.Fatal(err)
				}
				var logged strings.Builder
				_, have := startDown(t, mem.NewRegistry(), file, log.NewLogfmtLogger(log.NewSyncWriter(&logged)))
				if !slices.Equal(test.want, have) {
					t.Errorf("instances: want %q, have %q", test.want, have)
				}
				if !strings.Contains(logged.String(), test.logged) {
					t.Errorf("log: want %q in it, have %q", test.logged, logged.String())
				}
			})
		})
	}
	t.Run("link", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(snapshotOf(t, alice), link); err != nil {
				t.Fatal(err)
			}
			registry := mem.NewRegistry()
			if _, have := startDown(t, registry, link, log.NewNopLogger()); have != nil {
				t.Errorf("instances: want none, have %q", have)
			}
			registry.Put(bob)
			registry.Fail(nil)
			time.Sleep(time.Minute)
			if info, err := os.Lstat(link); err != nil || info.Mode().IsRegular() {
				t.Errorf("link: want it left alone, have %v, %v", info.Mode(), err)
			}
		})
	})
}
