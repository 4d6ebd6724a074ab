//go:build unix

package export

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A command that failed, or whose program was killed before it, is due at the next run.
func TestFileRunsWhatIsDue(t *testing.T) {
	dir := t.TempDir()
	path, ok, ran := filepath.Join(dir, "out"), filepath.Join(dir, "ok"), filepath.Join(dir, "ran")
	due := filepath.Join(dir, ".out.due")
	write := func(then string, wantChanged, wantError, wantDue bool) {
		t.Helper()
		changed, err := File{path, then}.Write(t.Context(), "text")
		_, is := os.Lstat(due)
		if changed != wantChanged || (err != nil) != wantError || (is == nil) != wantDue {
			t.Errorf("want changed %v, an error %v, due %v, have %v, %v, %v", wantChanged, wantError,
				wantDue, changed, err, is)
		}
	}
	command := "echo >>" + ran + "; test -e " + ok
	write(command, true, true, true)
	write(command, false, true, true)
	write("", false, false, true) // which has none to run
	if err := os.WriteFile(ok, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	write(command, false, false, false)
	write(command, false, false, false)
	if have, err := os.ReadFile(ran); len(have) != 3 || err != nil {
		t.Errorf("want the command run 3 times, have %d, %v", len(have), err)
	}
	// It is noted before the command begins, during which the program may be killed.
	os.Remove(path)
	write("test -e "+due, true, false, false)
}

// A link stays one, and what it leads to is replaced, with its owner and its group.
func TestFileBehindALink(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "real", "out"), filepath.Join(dir, "link")
	err := errors.Join(os.Mkdir(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o640),
		os.Symlink(path, link))
	if err != nil {
		t.Fatal(err)
	}
	owned := os.Chown(path, 12345, 23456) == nil
	if !owned {
		t.Logf("not run: only root can give a file away")
	}
	if changed, err := (File{Path: link}).Write(t.Context(), "text"); !changed || err != nil {
		t.Errorf("want the file changed, have %v, %v", changed, err)
	}
	if have, err := os.Readlink(link); have != path || err != nil {
		t.Errorf("want the link kept, have %q, %v", have, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := os.FileMode(0o640); want != info.Mode() {
		t.Errorf("want mode %v, have %v", want, info.Mode())
	}
	have := info.Sys().(*syscall.Stat_t)
	if owned && (have.Uid != 12345 || have.Gid != 23456) {
		t.Errorf("want owner and group kept, have %d:%d", have.Uid, have.Gid)
	}
	if have, err := os.ReadFile(path); string(have) != "text" || err != nil {
		t.Errorf("want the text behind the link, have %q, %v", have, err)
	}
}

// What is no file is refused, neither read nor replaced.
func TestFileIsNoPipe(t *testing.T) {
	dir := t.TempDir()
	pipe, lost := filepath.Join(dir, "pipe"), filepath.Join(dir, "lost")
	err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink(filepath.Join(dir, "none"), lost),
		os.Symlink(pipe, filepath.Join(dir, "link")))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, lost, filepath.Join(dir, "link"), dir, os.DevNull} {
		ended := make(chan error, 1)
		go func() {
			_, err := File{Path: path}.Write(t.Context(), "text")
			ended <- err
		}()
		select {
		case err := <-ended:
			if err == nil || CheckFile(path) == nil {
				t.Errorf("%s: want an error of both, have %v, %v", path, err, CheckFile(path))
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: want an error, have no end", path)
		}
	}
	if err := CheckFile(filepath.Join(dir, "new")); err != nil {
		t.Errorf("want one that does not exist allowed, have %v", err)
	}
	for _, path := range []string{filepath.Join(dir, "no", "new"), filepath.Join(dir, "no") + "/"} {
		if err := CheckFile(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: want a directory that exists, have %v", path, err)
		}
	}
}
