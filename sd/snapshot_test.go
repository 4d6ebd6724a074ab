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
	kitlog "github.com/go-kit/log"
)

// snapshotOf runs an Instancer on a registry with instances, and returns the file that it leaves.
func snapshotOf(t *testing.T, instances ...string) string {
	file := filepath.Join(t.TempDir(), "snapshot.json")
	registry := mem.NewRegistry()
	for _, s := range instances {
		registry.Put(s)
	}
	i := sd.NewInstancer(registry.Open(), kitlog.NewNopLogger(), sd.Snapshot(file))
	synctest.Wait()
	i.Stop()
	return file
}

// startDown starts an Instancer whose registry fails, and returns the first set that it sends, or
// nil if it sends none.
func startDown(t *testing.T, registry *mem.Registry, file string,
	logger kitlog.Logger) (*sd.Instancer, []string) {
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
		i, have := startDown(t, registry, file, kitlog.NewNopLogger())
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
		if doc := readDocument(t, file); !slices.Equal([]string{alice}, doc.Instances) {
			t.Errorf("content: want %q, have %+v", alice, doc)
		}
		if rest, _ := filepath.Glob(filepath.Dir(file) + "/*"); len(rest) != 1 {
			t.Errorf("files: want 1, have %q", rest)
		}
	})
}

// What would be worse than no list is not written: an empty one, and one that only came from the
// file itself.
func TestSnapshotIsNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if file := snapshotOf(t); exists(file) {
			t.Error("an empty set was written")
		}
		file := snapshotOf(t, alice)
		before, _ := os.ReadFile(file)
		time.Sleep(time.Hour)
		i, _ := startDown(t, mem.NewRegistry(), file, kitlog.NewNopLogger())
		i.Stop()
		if after, _ := os.ReadFile(file); string(after) != string(before) {
			t.Errorf("file: want it unchanged, have %q", after)
		}
	})
}

// What the registry said last is kept, also when it fails before that is written.
func TestSnapshotOfTheLastSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "snapshot.json")
		registry := mem.NewRegistry()
		registry.Put(alice)
		i := sd.NewInstancer(registry.Open(), kitlog.NewNopLogger(), sd.Snapshot(file))
		time.Sleep(time.Second) // alice is written
		registry.Put(bob)
		registry.Expire(alice)
		time.Sleep(time.Second)
		failed := time.Now()
		registry.Fail(errors.New("down"))
		time.Sleep(time.Minute)
		i.Stop()
		i.Stop()
		doc := readDocument(t, file)
		if !slices.Equal([]string{bob}, doc.Instances) || !doc.Written.Equal(failed) {
			t.Errorf("want %q as of %v, have %+v", bob, failed, doc)
		}
	})
}

// A burst of changes is written once, and once more after a pause.
func TestSnapshotIsWrittenNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "snapshot.json")
		registry := mem.NewRegistry()
		registry.Put(alice)
		i := sd.NewInstancer(registry.Open(), kitlog.NewNopLogger(), sd.Snapshot(file))
		defer i.Stop()
		time.Sleep(time.Second)
		registry.Put(bob)
		time.Sleep(3 * time.Second)
		same(t, "after 4 s", []string{alice}, readDocument(t, file).Instances)
		time.Sleep(2 * time.Second)
		same(t, "after 6 s", []string{alice, bob}, readDocument(t, file).Instances)
	})
}

// A file that cannot be replaced is left as it was, and nothing beside it.
func TestSnapshotThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		directory := filepath.Join(t.TempDir(), "snapshot.json")
		if err := os.Mkdir(directory, 0o700); err != nil {
			t.Fatal(err)
		}
		var logged strings.Builder
		registry := mem.NewRegistry()
		registry.Put(alice)
		i := sd.NewInstancer(registry.Open(), kitlog.NewLogfmtLogger(kitlog.NewSyncWriter(&logged)),
			sd.Snapshot(directory))
		synctest.Wait()
		i.Stop()
		if want := "want a regular file, or none"; !strings.Contains(logged.String(), want) {
			t.Errorf("log: want %q in it, have %q", want, logged.String())
		}
		if rest, _ := filepath.Glob(filepath.Dir(directory) + "/*"); len(rest) != 1 {
			t.Errorf("files: want the directory alone, have %q", rest)
		}
	})
}

// A file from the future has no age, and that is said.
func TestSnapshotFromTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := snapshotOf(t, alice)
		const future = `{"version":1,"written":"2999-01-02T03:04:05Z","instances":["192.0.2.1:8897"]}`
		if err := os.WriteFile(file, []byte(future), 0o600); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var logged strings.Builder
		i, have := startDown(t, mem.NewRegistry(), file, kitlog.NewLogfmtLogger(&logged))
		same(t, "instances", []string{alice}, have)
		if since := i.State().Since; !since.Equal(began) {
			t.Errorf("stale since: want %v, have %v", began, since)
		}
		if want := "from the future (2999-01-02T03:04:05Z)"; !strings.Contains(logged.String(),
			want) {
			t.Errorf("log: want %q in it, have %s", want, logged.String())
		}
	})
}

// While the registry confirms a set that does not change, the time in the file is never much more
// than a minute old: a process that is killed leaves the right age.
func TestSnapshotOfAQuietSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "snapshot.json")
		registry := mem.NewRegistry()
		registry.Put(alice)
		i := sd.NewInstancer(registry.Open(), kitlog.NewNopLogger(), sd.Snapshot(file))
		defer i.Stop()
		for range 50 {
			time.Sleep(7 * time.Minute)
			synctest.Wait()
			if age := time.Since(readDocument(t, file).Written); age > 65*time.Second {
				t.Fatalf("age of the confirmation: want about a minute at most, have %v", age)
			}
		}
		registry.Fail(errors.New("down"))
		failed := time.Now()
		time.Sleep(time.Hour)
		if written := readDocument(t, file).Written; written.After(failed) {
			t.Errorf("confirmed: want before %v, have %v", failed, written)
		}
	})
}

// A writtenDocument is what a snapshot file holds.
type writtenDocument struct {
	Written   time.Time
	Instances []string
}

func readDocument(t *testing.T, file string) (doc writtenDocument) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err := errors.Join(err, json.Unmarshal(data, &doc)); err != nil {
		t.Fatal(err)
	}
	return doc
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
		"hostile names": {strings.Replace(good, `["`, `["0.0.0.0:1","example.com:1","`, 1), 0o600,
			[]string{alice}, "left out"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "snapshot.json")
				if err := errors.Join(os.WriteFile(file, []byte(test.content), 0o600),
					os.Chmod(file, test.mode)); err != nil {
					t.Fatal(err)
				}
				var logged strings.Builder
				_, have := startDown(t, mem.NewRegistry(), file,
					kitlog.NewLogfmtLogger(kitlog.NewSyncWriter(&logged)))
				if !slices.Equal(test.want, have) {
					t.Errorf("instances: want %q, have %q", test.want, have)
				}
				if !strings.Contains(logged.String(), test.logged) {
					t.Errorf("log: want %q in it, have %q", test.logged, logged.String())
				}
			})
		})
	}
}
