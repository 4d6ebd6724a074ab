package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A directory is a file that is replaced as a whole for each change.
type directory struct {
	t    testing.TB
	path string
	set  []string
	away bool
}

func newDirectory(t testing.TB) *directory {
	l := &directory{t: t, path: filepath.Join(t.TempDir(), "servers")}
	if err := l.write(); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *directory) write() error {
	if l.away {
		return nil
	}
	text := "# the servers\n"
	for _, name := range l.set {
		text += name + "\n"
	}
	return errors.Join(os.WriteFile(l.path+".new", []byte(text), 0o600),
		os.Rename(l.path+".new", l.path))
}

func (l *directory) Open() (sd.Backend, error) { return Open(sd.Target{Scheme: "file", Path: l.path}) }
func (l *directory) Settle()                   { <-time.After(10 * time.Millisecond) }
func (l *directory) Instances() ([]string, error) {
	return l.set, nil
}

func (l *directory) Put(name string) error {
	if !slices.Contains(l.set, name) {
		l.set = append(l.set, name)
	}
	return l.write()
}

func (l *directory) Remove(name string) error {
	l.set = slices.DeleteFunc(l.set, func(s string) bool { return s == name })
	return l.write()
}

func (l *directory) Fail() error    { l.away = true; return os.Rename(l.path, l.path+".away") }
func (l *directory) Restore() error { l.away = false; return l.write() }

// Lacks says what a file cannot tell.
func (*directory) Lacks() sdtest.Lacks {
	return sdtest.Lacks{Announce: true, Withdrew: true, Policy: true}
}

func TestConformance(t *testing.T) {
	in := func(t *testing.T, f func(*testing.T)) { f(t) }
	sdtest.Run(t, in, func(t testing.TB) sdtest.Harness { return newDirectory(t) })
}

// A follower is a Watch in the background, and the sets that it has told.
type follower struct {
	*sdtest.Watching
	t testing.TB
}

func follow1(t testing.TB, b *Backend) *follower {
	return &follower{sdtest.Watch(t, b, sd.Want{}), t}
}

// told are the sets, as sorted names with blanks between.
func (f *follower) told() (sets []string) {
	for _, names := range f.Sets() {
		sets = append(sets, strings.Join(names, " "))
	}
	return sets
}

// shows waits until the last set told is want.
func (f *follower) shows(what, want string) {
	f.t.Helper()
	sdtest.Eventually(f.t, time.Second, func() error {
		if names, known := f.Set(); !known || strings.Join(names, " ") != want {
			return fmt.Errorf("%s: want the set %q, have %q", what, want, f.told())
		}
		return nil
	})
}

func open(t testing.TB, path string) *Backend {
	t.Helper()
	b, err := OpenBackend(sd.Target{Scheme: "file", Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// write makes or overwrites a file in place.
func write(path string, names ...string) error {
	return os.WriteFile(path, []byte("# servers\n"+strings.Join(names, "\n")+"\n"), 0o600)
}

const (
	alice = "192.0.2.1:8897"
	bob   = "192.0.2.2:8897"
	carol = "[2001:db8::3]:8897"
)

// Every way in which a file becomes another one is seen at once.
func TestSeenAtOnce(t *testing.T) {
	type step func(dir string) error
	for name, change := range map[string]step{
		"written in place": func(dir string) error { return write(dir+"/servers", bob) },
		"renamed over": func(dir string) error {
			return errors.Join(write(dir+"/new", bob), os.Rename(dir+"/new", dir+"/servers"))
		},
		"removed and made": func(dir string) error {
			return errors.Join(os.Remove(dir+"/servers"), write(dir+"/servers", bob))
		},
		"made a link": func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/other", 0o700), write(dir+"/other/list", bob),
				os.Remove(dir+"/servers"), os.Symlink("other/list", dir+"/servers"))
		},
		"directory replaced": func(dir string) error {
			return errors.Join(os.Mkdir(dir+".new", 0o700), write(dir+".new/servers", bob),
				os.Rename(dir, dir+".old"), os.Rename(dir+".new", dir))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "volume")
			must(t, os.Mkdir(dir, 0o700), write(dir+"/servers", alice))
			f := follow1(t, open(t, dir+"/servers"))
			f.shows("at the start", alice)
			must(t, change(dir))
			f.shows(name, bob)
			must(t, write(dir+"/servers", carol)) // what it has become is watched as well
			f.shows("written after it was "+name, carol)
			f.Stop()
		})
	}
}

// In the root directory, too.
func TestSeenAtOnceInTheRoot(t *testing.T) {
	dir, err := os.MkdirTemp("/", "daytime-test-")
	if err != nil {
		t.Skipf("want to write to the root directory: %v", err)
	}
	defer os.RemoveAll(dir)
	must(t, write(dir+"/one", alice), write(dir+"/two", bob))
	list, link := dir+".list", dir+".link"
	defer os.Remove(list)
	defer os.Remove(link)
	must(t, write(list, alice), os.Symlink(dir+"/one", link))
	f, g := follow1(t, open(t, list)), follow1(t, open(t, link))
	f.shows("at the start", alice)
	g.shows("at the start, through a link", alice)
	must(t, write(list, bob), os.Symlink(dir+"/two", link+".new"), os.Rename(link+".new", link))
	f.shows("written", bob)
	g.shows("another link", bob)
	f.Stop()
	g.Stop()
}

// Attributes are told with their names, and when they change.
func TestAttributes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "servers")
	must(t, write(path, alice+" zone=a", bob+" weight=x"))
	ctx, cancel := context.WithCancel(t.Context())
	changes := make(chan sd.Change)
	done := make(chan error)
	go func() {
		done <- open(t, path).Watch(ctx, sd.Want{Attributes: true}, func(c sd.Change) { changes <- c })
	}()
	c := <-changes
	if len(c.Up) != 2 || c.Attributes[alice].Zone != "a" || !slices.Equal(c.Unread, []string{bob}) {
		t.Errorf("want the zone of %s, and %s unread, have %+v", alice, bob, c)
	}
	must(t, write(path, alice+" zone=b", bob))
	c = <-changes
	if len(c.Up)+len(c.Down)+len(c.Unread) > 0 || c.Attributes[alice].Zone != "b" {
		t.Errorf("want another zone of %s alone, have %+v", alice, c)
	}
	cancel()
	<-done
}

// A file is waited for, and so are the directories that lead to it and the target of a link.
func TestMissingFileIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Symlink("a/b/list", dir+"/servers"))
	b := open(t, dir+"/servers")
	f := follow1(t, b)
	<-time.After(2 * patience) // for a file that was never there, it does not end
	must(t, os.MkdirAll(dir+"/a/b", 0o700))
	<-time.After(20 * time.Millisecond)
	if sets := f.told(); len(sets) > 0 || !errors.Is(b.Err(), sd.ErrNoDirectory) ||
		!strings.Contains(b.Err().Error(), "no such file") {
		t.Errorf("without a file: want no set and %v, have %q, %v", sd.ErrNoDirectory, sets, b.Err())
	}
	must(t, write(dir+"/a/b/list", alice))
	f.shows("made", alice)
	f.Stop()
}

// A volume is a directory whose files are swapped together, as kubelet does it.
type volume struct {
	dir   string
	turns int
}

// swap makes a directory with the file, and renames the link that all files of the volume lead
// through to lead to it.
func (v *volume) swap(text string) error {
	v.turns++
	name := fmt.Sprintf("..time%d", v.turns)
	err := errors.Join(
		os.Mkdir(filepath.Join(v.dir, name), 0o700),
		os.WriteFile(filepath.Join(v.dir, name, "servers"), []byte(text), 0o600),
		os.Symlink(name, filepath.Join(v.dir, "..data_tmp")),
		os.Rename(filepath.Join(v.dir, "..data_tmp"), filepath.Join(v.dir, "..data")))
	if v.turns == 1 {
		return errors.Join(err, os.Symlink("..data/servers", filepath.Join(v.dir, "servers")))
	}
	return errors.Join(err, os.RemoveAll(filepath.Join(v.dir, fmt.Sprintf("..time%d", v.turns-1))))
}

// A ConfigMap is swapped a thousand times under readers: each set they see is one that was written.
func TestSwapsUnderReaders(t *testing.T) {
	const swaps, readers = 1000, 5
	v := &volume{dir: t.TempDir()}
	must(t, v.swap("# nobody\n"))
	written := map[string]bool{"": true}
	var followers []*follower
	for range readers {
		followers = append(followers, follow1(t, open(t, v.dir+"/servers")))
	}
	last := ""
	for n := range swaps {
		names := []string{fmt.Sprintf("192.0.2.1:%d", 1000+n)}
		for m := range n % 50 {
			names = append(names, fmt.Sprintf("198.51.100.%d:%d", m+1, 1000+n))
		}
		slices.Sort(names)
		last = strings.Join(names, " ")
		written[last] = true
		must(t, v.swap(strings.Join(names, " zone=a\n")+"\n"))
	}
	seen := 0
	for _, f := range followers {
		f.shows("after the last swap", last)
		for _, set := range f.told() {
			seen++
			if !written[set] {
				t.Errorf("want only sets that were written, have %q", set)
			}
		}
		f.Stop()
	}
	t.Logf("%d readers saw %d of %d swaps each, on average", readers, seen/readers, swaps)
}

// noLease is the lease of a file system that has none to give.
func noLease(*os.File) (func(), error) { return nil, errors.ErrUnsupported }

// A file that is being written is not half a set, however its writer pauses.
func TestHalfWrittenIsNoSet(t *testing.T) {
	for name, test := range map[string]struct {
		lease func(*os.File) (func(), error)
		pause time.Duration // of the writer
	}{
		"a lease tells":   {lease, 2 * patience},
		"only quiet does": {noLease, quietTime / 5},
	} {
		t.Run(name, func(t *testing.T) {
			for try := 1; ; try++ {
				sets, late := writeInParts(t, test.lease, test.pause)
				if len(sets) <= 2 {
					break
				}
				if !late || try == 5 { // a busy machine makes the pauses longer
					t.Fatalf("want nothing between the two files, have %q", sets)
				}
			}
		})
	}
}

// writeInParts writes another file in the place of one, with a pause at first and short ones after
// it. It returns the sets that were told, and whether a pause was longer than it was to be.
func writeInParts(
	t *testing.T, lease func(*os.File) (func(), error), pause time.Duration,
) (sets []string, late bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "servers")
	must(t, write(path, alice, bob))
	b := open(t, path)
	b.lease = lease
	f := follow1(t, b)
	f.shows("at the start", alice+" "+bob)
	writer, err := os.Create(path)
	must(t, err)
	isLong := pause > patience
	var written time.Time
	for n, part := range []string{alice + "\n", "192.0.2.2:88", "97\n" + carol, "\n"} {
		if n > 0 {
			<-time.After(pause)
		}
		_, err := writer.WriteString(part)
		must(t, err)
		if n > 0 {
			late = late || time.Since(written) > pause+quietTime/2
			pause = quietTime / 5
		}
		written = time.Now()
	}
	must(t, writer.Close())
	if isLong { // it said so meanwhile
		if err := f.End(); !errors.Is(err, errWritten) {
			t.Errorf("file held open: want %v, have %v", errWritten, err)
		}
		g := follow1(t, b)
		g.shows("in the end", strings.Join([]string{alice, bob, carol}, " "))
		g.Stop()
	} else {
		f.shows("in the end", strings.Join([]string{alice, bob, carol}, " "))
		f.Stop()
	}
	return f.told(), late
}

// What is no list ends the Watch with the reason, and never with an empty set.
func TestUnreadable(t *testing.T) {
	put := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	for name, test := range map[string]struct {
		change func(path string) error
		want   string
	}{
		"removed":    {os.Remove, "no such file"},
		"truncated":  {func(p string) error { return os.Truncate(p, 0) }, "no bytes"},
		"cut":        {func(p string) error { return os.Truncate(p, 14) }, "no newline"},
		"other text": {put("servers:\n- a\n"), "none of 2 names"},
		"half JSON":  {put(`[{"targets":["` + bob + `"`), "JSON"},
		"too long":   {func(p string) error { return os.Truncate(p, maxSize+1) }, "at most"},
		"no plain file": {func(p string) error {
			return errors.Join(os.Remove(p), os.Mkdir(p, 0o700))
		}, "regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "servers")
			must(t, write(path, alice))
			f := follow1(t, open(t, path))
			f.shows("at the start", alice)
			must(t, test.change(path))
			if err := f.End(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want an error with %q, have %v", test.want, err)
			}
			if sets := f.told(); len(sets) != 1 {
				t.Errorf("want the first set alone, have %q", sets)
			}
		})
	}
}

func TestOnlyDiscovers(t *testing.T) {
	b := open(t, "/nowhere")
	err := b.Announce(t.Context(), sd.Entry{Instance: alice}, nil)
	if !errors.Is(err, sd.ErrNoAnnounce) {
		t.Errorf("announce: want %v, have %v", sd.ErrNoAnnounce, err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Announce(done, sd.Entry{Instance: alice}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("withdraw: want %v, have %v", context.Canceled, err)
	}
}

func TestCloseEndsWatch(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "servers"))
	f := follow1(t, b)
	b.Close()
	if err := f.End(); !errors.Is(err, sd.ErrClosed) {
		t.Errorf("want %v, have %v", sd.ErrClosed, err)
	}
}

func TestWrongTargets(t *testing.T) {
	for _, test := range []struct {
		target sd.Target
		want   string
	}{
		{sd.Target{Scheme: "file", Hosts: []sd.Host{{Name: "a"}}, Path: "/b"}, "want no host"},
		{sd.Target{Scheme: "file", Path: "/b", Keys: map[string]string{"a": "b"}}, "want no keys"},
		{sd.Target{Scheme: "file"}, "path"},
		{sd.Target{Scheme: "file", Path: "/etc/"}, "path"},
	} {
		_, err := Open(test.target)
		if err == nil || !strings.Contains(err.Error(), test.want) ||
			!strings.Contains(err.Error(), grammar) {
			t.Errorf("%v: want an error with %q and the grammar, have %v", test.target, test.want, err)
		}
	}
}
