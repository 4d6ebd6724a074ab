package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// servers returns servers without attributes.
func servers(instances ...string) (list []Server) {
	for _, instance := range instances {
		list = append(list, Server{Instance: instance, Weight: 100})
	}
	return list
}

func Example() {
	list := servers("192.0.2.1:8897", "192.0.2.2:8897", "[2001:db8::1]:8897")
	list[2].Zone, list[2].Tags = "eu-1", map[string]string{"app.version": "2.1"}
	list[1].Drained = true
	for _, format := range []Format{Prometheus, HAProxy("daytime", "check"), HAProxy("", "")} {
		text, _ := format(list)
		fmt.Print(text)
	}
	// Output:
	// [
	//   {
	//     "targets": [
	//       "192.0.2.1:8897"
	//     ],
	//     "labels": {
	//       "__meta_daytime_drained": "false",
	//       "__meta_daytime_zone": ""
	//     }
	//   },
	//   {
	//     "targets": [
	//       "192.0.2.2:8897"
	//     ],
	//     "labels": {
	//       "__meta_daytime_drained": "true",
	//       "__meta_daytime_zone": ""
	//     }
	//   },
	//   {
	//     "targets": [
	//       "[2001:db8::1]:8897"
	//     ],
	//     "labels": {
	//       "__meta_daytime_drained": "false",
	//       "__meta_daytime_tag_app_version": "2.1",
	//       "__meta_daytime_zone": "eu-1"
	//     }
	//   }
	// ]
	// backend daytime
	//     server 192.0.2.1:8897 192.0.2.1:8897 check weight 100
	//     server 192.0.2.2:8897 192.0.2.2:8897 check weight 0
	//     server 2001:db8::1:8897 [2001:db8::1]:8897 check weight 100
	//     server 192.0.2.1:8897 192.0.2.1:8897 weight 100
	//     server 192.0.2.2:8897 192.0.2.2:8897 weight 0
	//     server 2001:db8::1:8897 [2001:db8::1]:8897 weight 100
}

// Weights are in proportion, and 256 at most. What clients suspend does not hold here either: with
// the weight 0 everywhere HAProxy would have no server.
func TestHAProxyWeights(t *testing.T) {
	const drained = -1 // and what its weight is below that
	for _, test := range []struct{ weights, want []int }{
		{nil, nil},
		{[]int{100, 100}, nil},
		{[]int{7, 7}, nil},
		{[]int{0, 0}, nil},
		{[]int{1, 100}, []int{1, 100}},
		{[]int{0, 1, 500, 1000}, []int{0, 1, 128, 256}},
		{[]int{drained - 1000, 100}, []int{0, 100}},
		{[]int{drained - 100, drained - 100}, nil},
		{[]int{drained - 100, drained - 50}, []int{100, 50}},
		{[]int{drained, drained - 50}, []int{0, 50}},
		{[]int{drained, drained}, nil},
		{[]int{drained - 100, 0}, []int{0, 100}},
		{[]int{drained - 100, 0, 0}, []int{0, 100, 100}},
		{[]int{drained - 100, 0, 1}, []int{0, 0, 1}},
	} {
		list := servers(make([]string, len(test.weights))...)
		for i, weight := range test.weights {
			if list[i].Weight = weight; weight < 0 {
				list[i].Weight, list[i].Drained = drained-weight, true
			}
		}
		if have := haproxyWeights(list); !slices.Equal(test.want, have) {
			t.Errorf("%v: want %v, have %v", test.weights, test.want, have)
		}
	}
}

// One list is one text, also where several tags come to one label.
func TestPrometheusOfOneLabel(t *testing.T) {
	list := servers("192.0.2.1:1")
	list[0].Tags = map[string]string{"a_b": "third", "a.b": "second", "a-b": "first", "c": "4"}
	for range 100 {
		text, err := Prometheus(list)
		if !strings.Contains(text, `"__meta_daytime_tag_a_b": "first"`) || err != nil {
			t.Fatalf("want the first tag, have %s, %v", text, err)
		}
	}
}

func TestNobody(t *testing.T) {
	if have, err := Prometheus(nil); have != "[]\n" || err != nil {
		t.Errorf("want an empty list, have %q, %v", have, err)
	}
	if have, err := HAProxy("b", "")(nil); have != "backend b\n" || err != nil {
		t.Errorf("want the section alone, have %q, %v", have, err)
	}
	if have, err := HAProxy("", "")(servers("a\n    server evil")); err == nil {
		t.Errorf("want an address alone, have %q", have)
	}
}

func TestChecks(t *testing.T) {
	for name, want := range map[string]bool{"a-B_1.2:3": true, "": false, "a b": false,
		"a\nb": false, "é": false} {
		if have := CheckName(name) == nil; want != have {
			t.Errorf("%q: want %v, have %v", name, want, have)
		}
	}
	for text, want := range map[string]bool{"": true, "check inter 1s": true,
		"check\nserver": false, "check # c": false} {
		if have := CheckParameters(text) == nil; want != have {
			t.Errorf("%q: want %v, have %v", text, want, have)
		}
	}
}

// A file is replaced when its text changes, and the command runs then and not otherwise.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	f := File{filepath.Join(dir, "out"), "cat " + filepath.Join(dir, "out") + " >>" +
		filepath.Join(dir, "log")}
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
	silent := File{filepath.Join(t.TempDir(), "out"), "exit 3"}
	if _, err := silent.Write(t.Context(), "a"); err == nil || !strings.HasSuffix(err.Error(), "exit status 3") {
		t.Errorf("want the command's end and nothing behind it, have %v", err)
	}
	if _, err := (File{Path: t.TempDir() + "/none/out"}).Write(t.Context(), "a"); !errors.Is(err,
		os.ErrNotExist) {
		t.Errorf("want no directory, have %v", err)
	}
	// One that has begun a program, which holds the output open, has succeeded all the same.
	daemon := File{filepath.Join(t.TempDir(), "out"), "sleep 60 & echo $! >" + path + ".pid"}
	if changed, err := daemon.Write(t.Context(), "a"); !changed || err != nil {
		t.Errorf("want success, have %v, %v", changed, err)
	}
	if changed, err := daemon.Write(t.Context(), "a"); changed || err != nil {
		t.Errorf("want nothing due, have %v, %v", changed, err)
	}
	if out, err := exec.Command("sh", "-c", "kill $(cat "+path+".pid)").CombinedOutput(); err != nil {
		t.Errorf("want the program to go on, have %v, %s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if _, err := (File{path, "sleep 60"}).Write(ctx, "b"); !errors.Is(err,
		context.DeadlineExceeded) {
		t.Errorf("want the command ended with the context, have %v", err)
	}
	if have := time.Since(begin); have > 5*time.Second {
		t.Errorf("want an end at once, have %v", have)
	}
}

// What a process that was killed has left goes with the next write; what another one is about to
// put in place stays, as does everything else.
func TestFileBesideLeftovers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	for name, age := range map[string]time.Duration{
		".out.1.tmp": 0, ".out.2.tmp": time.Hour, ".out.3.tmp": -time.Hour, // the clock went back
		".out.tmp": time.Hour, ".out.a.tmp": time.Hour, ".output.4.tmp": time.Hour, "out.5.tmp": time.Hour,
	} {
		at := time.Now().Add(-age)
		file := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Chtimes(file, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := (File{Path: path}).Write(t.Context(), "text"); err != nil {
		t.Fatal(err)
	}
	var have []string
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		have = append(have, e.Name())
	}
	want := []string{".out.1.tmp", ".out.a.tmp", ".out.tmp", ".output.4.tmp", "out", "out.5.tmp"}
	if !slices.Equal(want, have) {
		t.Errorf("want %q, have %q", want, have)
	}
}
