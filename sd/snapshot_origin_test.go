package sd_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	kitlog "github.com/go-kit/log"
)

func target(t *testing.T, text string) sd.Target {
	t.Helper()
	parsed, err := sd.ParseTarget(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// ownSnapshot runs an Instancer of a registry with these instances, whose target is of, and returns
// what it logged. While the registry is down it is one that fails.
func ownSnapshot(t *testing.T, file, of string, down bool, instances ...string) (have []string,
	logged string) {
	registry := mem.NewRegistry()
	for _, s := range instances {
		registry.Put(s)
	}
	if down {
		registry.Fail(errors.New("down"))
	}
	var lines strings.Builder
	i := sd.NewInstancer(registry.Open(), kitlog.NewLogfmtLogger(&lines),
		sd.Snapshot(file, target(t, of)))
	time.Sleep(time.Second)
	synctest.Wait()
	i.Stop()
	return i.Instances(), lines.String()
}

// A file is used by the registry that it is of: the same scheme and path, and a host in both.
func TestSnapshotOfAnotherRegistry(t *testing.T) {
	const written = "zk://a:2181,b:2181,[2001:db8::1]/prod"
	for of, ours := range map[string]bool{
		"zk://a:2181,b:2181,[2001:db8::1]/prod": true,
		"zk://a:2181/prod":                      true,
		"zk://c:2181,b:2181/prod":               true, // hosts come and go
		"zk://B:2181/prod/":                     true, // the same in another spelling
		"zk://a./prod?session-timeout=4s":       true, // a port that is left out
		"zk://[2001:DB8:0::1]:2181/prod":        true,
		"zk://a:2181/staging":                   false,
		"zk://a:2181/prod/b":                    false,
		"zk://a:2181":                           false,
		"zk://c:2181,d:2181/prod":               false,
		"zk://a:2182/prod":                      false,
		"etcd://a:2181/prod":                    false,
	} {
		t.Run(of, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "snapshot.json")
				ownSnapshot(t, file, written, false, alice)
				before, _ := os.ReadFile(file)
				have, logged := ownSnapshot(t, file, of, true)
				if ours {
					same(t, "instances", []string{alice}, have)
					return
				}
				same(t, "instances", 0, len(have))
				if !strings.Contains(logged, "another registry") ||
					!strings.Contains(logged, written) {
					t.Errorf("log: want both registries in it, have %s", logged)
				}
				// Nor does its list replace the other's, and that is said once.
				_, logged = ownSnapshot(t, file, of, false, bob)
				if after, _ := os.ReadFile(file); string(after) != string(before) {
					t.Errorf("file: want it unchanged, have %s", after)
				}
				same(t, "lines about it", 1, strings.Count(logged, "snapshot not written"))
			})
		})
	}
}

// A file that an older program has left is read, with a warning, and is ours after the first
// answer.
func TestSnapshotOfNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const old = `{"version":1,"written":"2000-01-01T00:00:00Z","instances":["192.0.2.1:8897"]}`
		const warning = `msg="snapshot does not say whose it is"`
		file := filepath.Join(t.TempDir(), "snapshot.json")
		if err := os.WriteFile(file, []byte(old), 0o600); err != nil {
			t.Fatal(err)
		}
		have, logged := ownSnapshot(t, file, "zk://a/prod", true)
		same(t, "instances", []string{alice}, have)
		if !strings.Contains(logged, warning) {
			t.Errorf("log: want %s in it, have %s", warning, logged)
		}
		ownSnapshot(t, file, "zk://a/prod", false, bob)
		have, logged = ownSnapshot(t, file, "zk://a/prod", true)
		same(t, "instances", []string{bob}, have)
		if strings.Contains(logged, warning) {
			t.Errorf("log: want no warning any more, have %s", logged)
		}
		if have, _ := ownSnapshot(t, file, "zk://a/staging", true); have != nil {
			t.Errorf("instances of another: want none, have %q", have)
		}
		// Whoever does not say whose it is reads what there is.
		if _, have := startDown(t, mem.NewRegistry(), file, kitlog.NewNopLogger()); len(have) != 1 {
			t.Errorf("instances without a registry: want one, have %q", have)
		}
	})
}

// An older program reads what this one has written.
func TestSnapshotIsReadByOlderPrograms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "snapshot.json")
		ownSnapshot(t, file, "zk://a/prod", false, alice)
		text, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(text), `{"version":1,"written":"`) {
			t.Errorf("want version 1, have %s, %v", text, err)
		}
		same(t, "instances", []string{alice}, readDocument(t, file).Instances)
	})
}
