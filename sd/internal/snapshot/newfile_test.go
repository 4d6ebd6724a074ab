package snapshot

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/policy"
)

// wantContents checks which files a directory has, and what is in them.
func wantContents(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]string{}
	for _, e := range entries {
		text, _ := os.ReadFile(filepath.Join(dir, e.Name()))
		have[e.Name()] = string(text)
	}
	if !maps.Equal(want, have) {
		t.Errorf("files: want %q, have %q", want, have)
	}
}

// With a name and without one, a new file takes the place of the old one, or leaves it alone.
func TestNewFile(t *testing.T) {
	for name, create := range map[string]func(string) (*newFile, error){
		"named": createNamed, "unnamed": createUnnamed,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "a")
			f, err := create(file)
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip("not on this system:", err)
			}
			if err := errors.Join(err, f.discard()); err != nil {
				t.Fatal(err)
			}
			wantContents(t, dir, map[string]string{})
			for _, text := range []string{"old", "new"} {
				if err := put(create, file, []byte(text)); err != nil {
					t.Fatal(err)
				}
				wantContents(t, dir, map[string]string{"a": text})
			}
			if info, _ := os.Stat(file); info.Mode() != 0o600 {
				t.Errorf("mode: want 0600, have %v", info.Mode())
			}
			if err := put(create, dir, []byte("new")); err == nil {
				t.Error("in the place of a directory: want an error, have none")
			}
			wantContents(t, dir, map[string]string{"a": "new"})
		})
	}
}

// What a killed process has left is removed; what another one is about to write is waited for.
func TestNewFileBesideALeftover(t *testing.T) {
	dir := t.TempDir()
	file, name := filepath.Join(dir, "a"), filepath.Join(dir, "a.tmp")
	if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := put(createNamed, file, []byte("new")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("beside a young one: want %v, have %v", fs.ErrExist, err)
	}
	old := time.Now().Add(-2 * leftoverAge)
	if err := errors.Join(os.Chtimes(name, old, old),
		put(createNamed, file, []byte("new"))); err != nil {
		t.Errorf("beside an old one: want it replaced, have %v", err)
	}
	wantContents(t, dir, map[string]string{"a": "new"})
	future := time.Now().Add(10 * 365 * 24 * time.Hour) // the clock went back
	if err := errors.Join(os.WriteFile(name, []byte("half"), 0o600), os.Chtimes(name, future, future),
		put(createNamed, file, []byte("newer"))); err != nil {
		t.Errorf("beside one from the future: want it replaced, have %v", err)
	}
	wantContents(t, dir, map[string]string{"a": "newer"})
}

// A file that cannot be replaced is written over, also with less than it held.
func TestRewriteFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a")
	if canBeRewritten(file) {
		t.Error("a file that is not there can be written over")
	}
	if err := os.WriteFile(file, []byte("a long text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := rewriteFile(file, []byte("short")); err != nil || !canBeRewritten(file) {
		t.Error(err)
	}
	wantContents(t, dir, map[string]string{"a": "short"})
}

// In a sticky directory a file is replaced by its owner, by that of the directory, and by root.
func TestKeptFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Chown(file, 1001, 0), os.Chown(dir, 1002, 0)); err != nil {
		t.Skip("only root can give files away:", err)
	}
	for mode, kept := range map[os.FileMode]bool{0o777 | os.ModeSticky: true, 0o777: false} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		for user, want := range map[int]bool{0: false, 1001: false, 1002: false, 1003: kept} {
			if have := isKept(file, user); want != have {
				t.Errorf("%v, user %d: want %v, have %v", mode, user, want, have)
			}
			if isKept(file+"b", user) {
				t.Errorf("%v, user %d: one that is not there is not replaced", mode, user)
			}
		}
	}
}

// A document that would be too long to be read again is none.
func TestEncodeTooLong(t *testing.T) {
	doc := New(time.Now(), nil, []policy.Entry{{Instance: "192.0.2.1:8897"}})
	data, err := encode(doc, maxSize)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := encode(doc, len(data)); err != nil {
		t.Errorf("of the longest: %v", err)
	}
	if _, err := encode(doc, len(data)-1); err == nil {
		t.Error("one byte more: want an error, have none")
	}
}

// An error names the file, and not its directory alone.
func TestErrorNamesTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "none", "snapshot.json")
	if err := Write(file, Document{}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("want %s in the error, have %v", file, err)
	}
}
