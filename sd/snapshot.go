package sd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/go-kit/log/level"
)

const (
	snapshotVersion = 1
	mostSnapshot    = 64 << 20        // bytes; 100,000 instances take 3 MB
	snapshotPause   = 5 * time.Second // at least, between two writes
)

// errUnanswered is why the set of a snapshot is not vouched for at first.
var errUnanswered = errors.New("a snapshot, of which the registry has said nothing yet")

// A document is what a snapshot file holds.
type document struct {
	Version   int       `json:"version"`
	Written   time.Time `json:"written"`
	Instances []string  `json:"instances"`
}

// Snapshot keeps the last set in file, for the next start: while the registry has not answered, the
// Instancer then begins with the set of the file, and its state is stale since the file was
// written. By default there is no file, and the set is unknown at first.
//
// The file is replaced as a whole, at most every 5 s and by Stop, and only this user may read it
// (mode 0600); one that others may write is not believed. Its content is checked like that of a
// registry. An empty set is not written: it may be a mistake, and starting with servers that are
// gone costs a refused connection.
func Snapshot(file string) InstancerOption {
	return func(i *Instancer) { i.snapshot = file }
}

// restore begins with the set of the snapshot file.
func (i *Instancer) restore() {
	doc, err := readSnapshot(i.snapshot)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		level.Warn(i.logger).Log("msg", "snapshot not used", "err", err)
		return
	}
	instances := i.admit(doc.Instances)
	if len(instances) == 0 { // unknown is not empty
		level.Warn(i.logger).Log("msg", "snapshot not used", "err", fmt.Errorf("%s: no instances", i.snapshot))
		return
	}
	i.mu.Lock()
	i.fanout.apply(Change{Reset: true, Up: instances})
	i.state.set(Stale, errUnanswered)
	i.state.backdate(doc.Written)
	i.mu.Unlock()
	i.fanout.index()
}

// readSnapshot reads a snapshot file that only its owner, us, may have written.
func readSnapshot(file string) (doc document, err error) {
	f, err := openPlain(file)
	if err != nil {
		return doc, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return doc, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 {
		return doc, fmt.Errorf("%s: mode %v: want a regular file that only its owner may write", file, info.Mode())
	}
	if owner, ours := ownerOf(info); !ours {
		return doc, fmt.Errorf("%s: belongs to user %d: want %d", file, owner, os.Geteuid())
	}
	if err := json.NewDecoder(io.LimitReader(f, mostSnapshot)).Decode(&doc); err != nil {
		return doc, fmt.Errorf("%s: %w", file, err)
	}
	if doc.Version != snapshotVersion {
		return doc, fmt.Errorf("%s: version %d: want %d", file, doc.Version, snapshotVersion)
	}
	if doc.Written.After(time.Now()) {
		doc.Written = time.Now() // by another clock
	}
	return doc, nil
}

// save delivers to the snapshot file, with a pause of its own.
func (i *Instancer) save(m *mailbox) {
	i.write()
	timer := time.NewTimer(snapshotPause)
	defer timer.Stop()
	awaits(m, timer.C)
}

// write writes the set to the snapshot file, if it is the registry's, with the
// time when it was last known to be.
func (i *Instancer) write() {
	i.mu.Lock()
	answered, written := i.answered, time.Now()
	if s := i.state.get(); s.Phase != Live {
		written = s.Since
	}
	i.mu.Unlock()
	if !answered {
		return
	}
	instances := i.fanout.list() // changes since then are no harm
	if len(instances) == 0 {
		return
	}
	doc := document{snapshotVersion, written.UTC(), instances}
	if err := writeSnapshot(i.snapshot, doc); err != nil {
		level.Warn(i.logger).Log("msg", "snapshot not written", "err", err)
	}
}

// writeSnapshot replaces file in one step. It does not replace what is no file.
func writeSnapshot(file string, doc document) (err error) {
	if info, err := os.Lstat(file); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: mode %v: want a regular file, or none", file, info.Mode())
	}
	data, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
