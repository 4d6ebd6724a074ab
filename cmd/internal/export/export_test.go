package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func Example() {
	instances := []string{"192.0.2.2:8897", "192.0.2.1:8897", "[2001:db8::1]:8897"}
	for _, format := range []Format{Prometheus, HAProxy("daytime", "check"), HAProxy("", "")} {
		text, err := format(instances)
		fmt.Print(text, err, "\n")
	}
	// Output:
	// [
	//   {
	//     "targets": [
	//       "192.0.2.1:8897",
	//       "192.0.2.2:8897",
	//       "[2001:db8::1]:8897"
	//     ]
	//   }
	// ]
	// <nil>
	// backend daytime
	//     server 192.0.2.1:8897 192.0.2.1:8897 check
	//     server 192.0.2.2:8897 192.0.2.2:8897 check
	//     server 2001:db8::1:8897 [2001:db8::1]:8897 check
	// <nil>
	//     server 192.0.2.1:8897 192.0.2.1:8897
	//     server 192.0.2.2:8897 192.0.2.2:8897
	//     server 2001:db8::1:8897 [2001:db8::1]:8897
	// <nil>
}

func TestNobody(t *testing.T) {
	if have, err := Prometheus(nil); have != "[]\n" || err != nil {
		t.Errorf("want an empty list, have %q, %v", have, err)
	}
	if have, err := HAProxy("b", "")(nil); have != "backend b\n" || err != nil {
		t.Errorf("want the section alone, have %q, %v", have, err)
	}
	if have, err := HAProxy("", "")([]string{"a\n    server evil"}); err == nil {
		t.Errorf("want an address alone, have %q", have)
	}
}

func TestChecks(t *testing.T) {
	for name, want := range map[string]bool{"a-B_1.2:3": true, "": false, "a b": false, "a\nb": false, "é": false} {
		if have := CheckName(name) == nil; want != have {
			t.Errorf("%q: want %v, have %v", name, want, have)
		}
	}
	for text, want := range map[string]bool{"": true, "check inter 1s": true, "check\nserver": false, "check # c": false} {
		if have := CheckParameters(text) == nil; want != have {
			t.Errorf("%q: want %v, have %v", text, want, have)
		}
	}
}

// A file is replaced when its text changes, and the command runs then and not otherwise.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	f := File{filepath.Join(dir, "out"), "cat " + filepath.Join(dir, "out") + " >>" + filepath.Join(dir, "log")}
	for _, step := range []struct {
		text    string
		changed bool
		log     string
	}{{"a\n", true, "a\n"}, {"a\n", false, "a\n"}, {"b\n", true, "a\nb\n"}} {
		changed, err := f.Write(t.Context(), step.text)
		if changed != step.changed || err != nil {
			t.Errorf("%q: want changed %v, have %v, %v", step.text, step.changed, changed, err)
		}
		have, _ := os.ReadFile(f.Path)
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		if string(have) != step.text || string(log) != step.log {
			t.Errorf("want %q and %q, have %q and %q", step.text, step.log, have, log)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, ".out*"))
	if len(left) > 0 || err != nil {
		t.Errorf("want nothing left behind, have %q, %v", left, err)
	}
}

func TestFileKeepsItsMode(t *testing.T) {
	f := File{Path: filepath.Join(t.TempDir(), "out")}
	for _, want := range []os.FileMode{0o644, 0o640} {
		if _, err := f.Write(t.Context(), want.String()); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(f.Path)
		if err != nil || info.Mode() != want {
			t.Errorf("want %v, have %v, %v", want, info.Mode(), err)
		}
		os.Chmod(f.Path, 0o640)
	}
}

func TestFileErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	changed, err := File{path, "echo sorry; exit 3"}.Write(t.Context(), "a")
	if !changed || err == nil || !strings.Contains(err.Error(), "exit status 3: sorry") {
		t.Errorf("want the file changed and the command's end, have %v, %v", changed, err)
	}
	if _, err := (File{Path: t.TempDir() + "/none/out"}).Write(t.Context(), "a"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("want no directory, have %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if _, err := (File{path, "sleep 60"}).Write(ctx, "b"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want the command ended with the context, have %v", err)
	}
	if have := time.Since(begin); have > 5*time.Second {
		t.Errorf("want an end at once, have %v", have)
	}
}
