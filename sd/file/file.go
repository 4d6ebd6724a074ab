package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/sets"
)

var (
	_ sd.Backend   = (*Backend)(nil)
	_ sd.Diagnoser = (*Backend)(nil)
)

const (
	readEvery  = time.Minute            // what no event tells of is seen by then
	pollEvery  = time.Second            // the same, without events
	retryEvery = 50 * time.Millisecond  // while the file cannot be taken as it is
	patience   = time.Second            // for a file that cannot be taken, before Watch returns
	quietTime  = 250 * time.Millisecond // since the last change, where there are no leases
)

// grammar is part of every error about a target.
const grammar = "file:///path"

// errNoAnnounce is what Announce returns.
var errNoAnnounce = fmt.Errorf("file: a file %w", sd.ErrNoAnnounce)

// A Backend is the list in one file. Its methods may be called concurrently.
type Backend struct {
	path   string
	lease  func(*os.File) (release func(), err error)
	closed context.Context
	close  context.CancelFunc

	missing atomic.Bool // there was no file when a Watch looked last
}

// Open is [OpenBackend] in the form of an entry of sd.Schemes, for the scheme file.
func Open(t sd.Target) (sd.Backend, error) { return OpenBackend(t) }

// OpenBackend opens the file that t names, file:///path. It has no host and no keys. The file may
// be missing: it is waited for. OpenBackend does no I/O.
func OpenBackend(t sd.Target) (*Backend, error) {
	var cause string
	switch {
	case len(t.Hosts) > 1 || len(t.Hosts) == 1 && t.Hosts[0] != sd.Host{}:
		cause = "want no host: the path begins with the third slash"
	case len(t.Keys) > 0:
		cause = "want no keys"
	case t.Path == "" || t.Path[len(t.Path)-1] == '/':
		cause = fmt.Sprintf("path %q: want the path of a file", t.Path)
	}
	if cause != "" {
		t.Keys = nil // a mistaken key may have given a secret
		return nil, fmt.Errorf("target %s: %s; want %s", t, cause, grammar)
	}
	b := &Backend{path: t.Path, lease: lease}
	b.closed, b.close = context.WithCancel(context.Background())
	return b, nil
}

// Watch implements sd.Backend. It waits for a file that is missing. A file that vanishes, or cannot
// be taken for longer than a second, ends it with an error that says why. An instance that leaves
// the file is lost, not withdrawn: a tool that writes the file may have removed it for being down.
func (b *Backend) Watch(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	r := newReader(b.path, b.lease)
	defer r.close()
	w := watching{emit: emit, set: sets.Set{Want: want}}
	for ctx.Err() == nil && b.closed.Err() == nil {
		list, err := r.read()
		b.missing.Store(errors.Is(err, fs.ErrNotExist))
		pause, err := w.take(list, err)
		if err != nil {
			return fmt.Errorf("file: watch %s: %w", b.path, err)
		}
		r.wait(ctx, b.closed, pause)
	}
	if b.closed.Err() != nil {
		return fmt.Errorf("file: watch %s: %w", b.path, sd.ErrClosed)
	}
	return ctx.Err()
}

// A watching is what one Watch has told its caller. One goroutine uses it.
type watching struct {
	emit    func(sd.Change)
	set     sets.Set
	refused time.Time // since when the file cannot be taken; zero: it can, or is waited for
}

// take emits what the file has become, and says how long it may stay as it is. The error is for the
// caller of Watch.
func (w *watching) take(l list, err error) (pause time.Duration, _ error) {
	switch {
	case err == nil:
		w.refused = time.Time{}
		w.set.Becomes(l.entries, l.unread, w.emit)
		return readEvery, nil
	case errors.Is(err, errUnchanged), errors.Is(err, fs.ErrNotExist) && !w.set.Known():
		w.refused = time.Time{}
		return readEvery, nil
	case w.refused.IsZero():
		w.refused = time.Now()
	case time.Since(w.refused) < patience:
	case errors.Is(err, fs.ErrPermission):
		return 0, denied{err}
	default:
		return 0, err
	}
	return retryEvery, nil
}

// Announce implements sd.Backend, and fails.
func (b *Backend) Announce(ctx context.Context, _ sd.Entry, _ func(sd.Status)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return errNoAnnounce
}

// Err says, while a Watch waits for a file that is missing, that it is.
func (b *Backend) Err() error {
	if b.missing.Load() {
		return fmt.Errorf("file: %s: %w", b.path, missing{})
	}
	return nil
}

// A missing is sd.ErrNoDirectory, in words for a file.
type missing struct{}

func (missing) Error() string        { return "there is no such file yet" }
func (missing) Is(target error) bool { return target == sd.ErrNoDirectory }

// A denied is sd.ErrDenied, in words for a file.
type denied struct{ error }

func (denied) Is(target error) bool { return target == sd.ErrDenied }
func (d denied) Unwrap() error      { return d.error }

// Close ends every call. It returns nil.
func (b *Backend) Close() error {
	b.close()
	return nil
}
