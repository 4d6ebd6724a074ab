//go:build unix

package sd_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	kitlog "github.com/go-kit/log"
)

// A file that a group of this process may write, as the volumes of a pod are made, is believed in a
// directory that others may not write.
func TestSnapshotOfAGroup(t *testing.T) {
	const foreign = 54321
	for name, test := range map[string]struct {
		group     int
		mode, dir os.FileMode
		used      bool
	}{
		"own group":                   {os.Getegid(), 0o660, 0o755, true},
		"own group, its directory":    {os.Getegid(), 0o664, 0o775, true},
		"in a directory of everybody": {os.Getegid(), 0o660, 0o777, false},
		"in a sticky one":             {os.Getegid(), 0o660, 0o777 | os.ModeSticky, false},
		"foreign group":               {foreign, 0o660, 0o755, true}, // it is ours to write as well
		"foreign group reads":         {foreign, 0o640, 0o755, true},
		"others write":                {os.Getegid(), 0o662, 0o755, false},
		"own alone in a sticky one":   {os.Getegid(), 0o600, 0o777 | os.ModeSticky, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file := snapshotOf(t, alice)
				if err := os.Chown(file, -1, test.group); err != nil {
					t.Skip("another group can be given by root alone:", err)
				}
				if err := errors.Join(os.Chmod(file, test.mode),
					os.Chmod(filepath.Dir(file), test.dir)); err != nil {
					t.Fatal(err)
				}
				_, have := startDown(t, mem.NewRegistry(), file, kitlog.NewNopLogger())
				if used := have != nil; used != test.used {
					t.Errorf("used: want %v, have %v", test.used, used)
				}
			})
		})
	}
}

// A file of another user is not believed, unless a group of ours may write it: a pod may be another
// user after each restart.
func TestSnapshotOfAnotherUser(t *testing.T) {
	const foreign = 54321
	if os.Geteuid() != 0 {
		t.Skip("a file can be given away by root alone")
	}
	for name, test := range map[string]struct {
		group     int
		mode, dir os.FileMode
		used      bool
	}{
		"alone":                       {os.Getegid(), 0o640, 0o755, false},
		"own group":                   {os.Getegid(), 0o660, 0o755, true},
		"foreign group":               {foreign, 0o660, 0o755, false},
		"in a directory of everybody": {os.Getegid(), 0o660, 0o777, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file := snapshotOf(t, alice)
				err := errors.Join(os.Chown(file, foreign, test.group), os.Chmod(file, test.mode),
					os.Chmod(filepath.Dir(file), test.dir))
				if err != nil {
					t.Fatal(err)
				}
				_, have := startDown(t, mem.NewRegistry(), file, kitlog.NewNopLogger())
				if used := have != nil; used != test.used {
					t.Errorf("used: want %v, have %v", test.used, used)
				}
			})
		})
	}
}

// A link, as the entries of a Kubernetes volume are, is followed to read and to write. In a
// directory that others may write it may lead anywhere, and is left alone.
func TestSnapshotBehindALink(t *testing.T) {
	for name, test := range map[string]struct {
		dir  os.FileMode
		used bool
	}{"in a directory of ours": {0o755, true}, "in one of everybody": {0o777 | os.ModeSticky,
		false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file := snapshotOf(t, alice)
				before, _ := os.ReadFile(file)
				link := filepath.Join(t.TempDir(), "link")
				if err := errors.Join(os.Symlink(file, link),
					os.Chmod(filepath.Dir(link), test.dir)); err != nil {
					t.Fatal(err)
				}
				if err := sd.CheckSnapshot(link); (err == nil) != test.used {
					t.Errorf("check: want it accepted %v, have %v", test.used, err)
				}
				registry := mem.NewRegistry()
				registry.Put(bob)
				if _, have := startDown(t, registry, link,
					kitlog.NewNopLogger()); (have != nil) != test.used {
					t.Errorf("used: want %v, have %q", test.used, have)
				}
				registry.Fail(nil)
				time.Sleep(time.Minute)
				if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
					t.Errorf("link: want it left a link, have %v, %v", info.Mode(), err)
				}
				after, _ := os.ReadFile(file)
				if written := string(after) != string(before); written != test.used {
					t.Errorf("written: want %v, have %s", test.used, after)
				}
			})
		})
	}
}

// What can never be a snapshot file, and what can. Nothing is left behind by the question.
func TestCheckSnapshot(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "file"), []byte("noon"), 0o600),
		os.Mkdir(filepath.Join(dir, "directory"), 0o700),
		syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600),
		os.Symlink("nowhere", filepath.Join(dir, "dangling")),
	); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"none yet":               "",
		"file":                   "",
		"directory":              "want a regular file",
		"directory/":             "want a regular file",
		"pipe":                   "want a regular file",
		"dangling":               "no such file",
		"missing/file":           "no such file",
		"file/file":              "not a directory",
		strings.Repeat("n", 300): "name too long",
	} {
		err := sd.CheckSnapshot(dir + "/" + name)
		if want == "" && err == nil {
			continue
		}
		if err == nil || want == "" || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), dir) {
			t.Errorf("%.20s: want %q and the name in the error, have %v", name, want, err)
		}
	}
	for _, file := range []string{os.DevNull, "/proc/snapshot", "/dev/fd/snapshot"} {
		if err := sd.CheckSnapshot(file); err == nil {
			t.Errorf("%s: want it refused", file)
		}
	}
	entries, _ := os.ReadDir(dir)
	same(t, "entries of the directory", 4, len(entries))
}

// childDirectory has the test program write snapshots until it is killed.
const childDirectory = "SD_TEST_SNAPSHOT_DIRECTORY"

// A process that is killed while it writes leaves the old file, and nothing beside it for long.
func TestSnapshotOfAKilledProcess(t *testing.T) {
	if dir := os.Getenv(childDirectory); dir != "" {
		writeForEver(filepath.Join(dir, "snapshot.json"))
	}
	dir := t.TempDir()
	for range 15 {
		child := exec.Command(os.Args[0], "-test.run=^TestSnapshotOfAKilledProcess$")
		child.Env = append(os.Environ(), childDirectory+"="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err := errors.Join(err, child.Start()); err != nil {
			t.Fatal(err)
		}
		if n, err := out.Read(make([]byte, 1)); n == 0 { // until it has begun
			t.Fatal("the child has written nothing:", err)
		}
		child.Process.Kill()
		child.Wait()
		if n := len(readDocument(t, filepath.Join(dir, "snapshot.json")).Instances); n == 0 {
			t.Error("instances: want those of a whole file, have none")
		}
		if all, _ := filepath.Glob(dir + "/*"); len(all) > 2 {
			t.Fatalf("files: want one, and one without its place yet, have %q", all)
		}
	}
	synctest.Test(t, func(t *testing.T) { // whoever writes next removes it
		registry := mem.NewRegistry()
		registry.Put(alice)
		i := sd.NewInstancer(registry.Open(), kitlog.NewNopLogger(),
			sd.Snapshot(filepath.Join(dir, "snapshot.json")))
		time.Sleep(time.Second)
		i.Stop()
	})
	if all, _ := filepath.Glob(dir + "/*"); len(all) != 1 {
		t.Errorf("files in the end: want one, have %q", all)
	}
}

// writeForEver starts and stops Instancers, each of which writes file.
func writeForEver(file string) {
	for {
		registry := mem.NewRegistry()
		for k := range 1000 {
			registry.Put(instance(k))
		}
		i := sd.NewInstancer(registry.Open(), kitlog.NewNopLogger(), sd.Snapshot(file))
		i.Await(context.Background())
		i.Stop()
		fmt.Println("written")
	}
}
