package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// maxSize bounds the file: 16 MiB are about 400,000 lines.
const maxSize = 16 << 20

// Why a file is not taken as it is.
var (
	errUnchanged = errors.New("unchanged")
	errWritten   = errors.New("being written: want a whole file, renamed into place")
)

// A reader reads a file whenever it has changed. One goroutine uses it.
type reader struct {
	path    string
	lease   func(*os.File) (release func(), err error)
	watcher *fsnotify.Watcher // nil: there is none to be had
	watched map[string]struct{}
	names   map[string]struct{} // whose events matter
	blind   bool                // a change may send no event

	taken os.FileInfo // of the file that was read last; nil: none, or it may have changed since
	due   time.Time   // when it is read even so

	seen      os.FileInfo // as it was found last
	seenSince time.Time
}

func newReader(path string, lease func(*os.File) (func(), error)) *reader {
	r := &reader{path: path, lease: lease, watched: map[string]struct{}{}}
	if watcher, err := fsnotify.NewWatcher(); err == nil { // else it is read every second
		r.watcher = watcher
	}
	return r
}

func (r *reader) close() {
	if r.watcher != nil {
		r.watcher.Close()
	}
}

// wait returns when the file may have changed, after pause at the latest, or when a context is
// done.
func (r *reader) wait(ctx, closed context.Context, pause time.Duration) {
	var events chan fsnotify.Event
	var lost chan error
	if r.watcher != nil {
		events, lost = r.watcher.Events, r.watcher.Errors
	}
	if r.blind {
		pause = min(pause, pollEvery)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case e := <-events:
			if _, matters := r.names[filepath.Clean(e.Name)]; matters { // of / it is //name
				return
			}
		case <-lost: // more events than fit into the queue
			r.taken = nil
			return
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		case <-closed.Done():
			return
		}
	}
}

// read returns what the file holds, or errUnchanged. The directories are watched before the file is
// opened, so that no change falls in between.
func (r *reader) read() (list, error) {
	r.arm()
	f, err := os.OpenFile(r.path, os.O_RDONLY|nonblock, 0) // a pipe must not hold it up
	if err != nil {
		r.taken = nil
		return list{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return list{}, err
	case !info.Mode().IsRegular():
		return list{}, fmt.Errorf("mode %v: want a regular file", info.Mode())
	case info.Size() > maxSize:
		return list{}, fmt.Errorf("%d bytes: want %d at most", info.Size(), maxSize)
	case r.taken != nil && same(r.taken, info) && time.Now().Before(r.due):
		return list{}, errUnchanged
	}
	text, err := r.text(f, info)
	if err != nil {
		return list{}, err
	}
	l, err := parse(text)
	if err != nil {
		return list{}, err
	}
	r.note(info)
	return l, nil
}

// text reads f while nobody writes to it.
func (r *reader) text(f *os.File, info os.FileInfo) ([]byte, error) {
	release, err := r.lease(f)
	switch {
	case err == nil:
		defer release()
	case errors.Is(err, errWritten):
		return nil, err
	case !r.quiet(info):
		return nil, errWritten
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	now, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if int64(len(text)) != now.Size() || release == nil && !same(now, info) {
		return nil, errWritten
	}
	return text, nil
}

// quiet reports whether the file has been left alone for a while. The clock of the file's server
// may be another: what counts is also how long it was seen unchanged here.
func (r *reader) quiet(info os.FileInfo) bool {
	now := time.Now()
	if r.seen == nil || !same(r.seen, info) {
		r.seen, r.seenSince = info, now
	}
	age := now.Sub(info.ModTime())
	return age >= quietTime && age < 24*time.Hour || now.Sub(r.seenSince) >= quietTime
}

// note remembers the file that was read, so that events that concern another one cost no read. Its
// times are only as fine as the kernel's tick: one that has just changed may change once more and
// look the same.
func (r *reader) note(info os.FileInfo) {
	r.taken, r.due = nil, time.Now().Add(readEvery*9/10)
	if age := time.Since(info.ModTime()); age > 100*time.Millisecond {
		r.taken = info
	}
}

// same reports whether a and b are one file, unchanged.
func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
