package sd

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"example.com/daytime/sd/internal/signal"
	"example.com/daytime/sd/internal/snapshot"
	"github.com/go-kit/log/level"
)

const (
	snapshotPause = 5 * time.Second // at least, between two writes
	confirmPause  = time.Minute     // between two writes of a set that does not change

	notWrittenPause = 3 * time.Minute // between two lines about one reason
)

// Snapshot keeps the last set in file, for the next start: while the registry has not answered, the
// Instancer then begins with the set of the file, and its state is stale since the registry last
// confirmed that. By default, and with an empty name, there is no file, and the set is unknown at
// first.
//
// Of is the target of the Backend, and is kept in the file. A file of another target is not read,
// and not replaced either: one whose scheme or path differ, or that has no host in common. A file
// without a target, as older programs wrote it, is read with a warning. Without of, a file of any
// target is read and replaced.
//
// The file is replaced as a whole, at most every 5 s, by Stop, and once a minute so that its time
// is that of the last confirmation. Its mode is 0600. It is believed if it is this user's or
// root's, or if a group of this process may write it, unless others may write it or, where a group
// may, its directory. Its content is checked like that of a registry. An empty set is not written:
// it may be a mistake, and starting with servers that are gone costs a refused connection.
// [CheckSnapshot] says what can never be such a file.
func Snapshot(file string, of ...Target) InstancerOption {
	return func(i *Instancer) {
		if i.saver = nil; file == "" {
			return
		}
		i.saver = &saver{
			file:    file,
			changed: signal.New(),
			urgent:  signal.New(),
			quit:    make(chan struct{}),
			done:    make(chan struct{}),
		}
		for _, t := range of {
			i.saver.ours = originOf(t)
		}
	}
}

// A saver keeps the set of an Instancer in a file, in a goroutine that the Instancer owns.
type saver struct {
	file    string
	ours    *snapshot.Origin // nil: of any registry
	changed signal.Signal
	urgent  signal.Signal // the policy has changed
	quit    chan struct{} // closed by close
	once    sync.Once
	done    chan struct{} // closed when the goroutine has ended

	// Used by the goroutine alone.
	isOurs bool  // the file is known to be this registry's
	told   error // why the file was not written, as it was logged last
	toldAt time.Time
}

// close ends the goroutine, which writes once more, and waits for it.
func (s *saver) close() {
	s.once.Do(func() { close(s.quit) })
	<-s.done
}

// isNews reports whether err is worth a line: another reason than the last time, or long after it.
func (s *saver) isNews(err error) bool {
	news := s.told == nil || err.Error() != s.told.Error() ||
		time.Since(s.toldAt) >= notWrittenPause
	if news {
		s.told, s.toldAt = err, time.Now()
	}
	return news
}

// originOf is what the file says of the registry.
func originOf(t Target) *snapshot.Origin {
	of := &snapshot.Origin{Scheme: t.Scheme, Path: strings.TrimSuffix(t.Path, "/")}
	for _, h := range t.Hosts {
		of.Hosts = append(of.Hosts, h.String())
	}
	return of
}

// CheckSnapshot returns why file can never be a snapshot file (see [Snapshot]), for a program that
// was told its name: its directory is missing or may not be written, or it is something else than a
// file. A cause that may pass, such as a full disk, is no error, nor is the content of the file. It
// leaves nothing behind.
func CheckSnapshot(file string) error { return snapshot.Check(file) }

// restore begins with the set of the snapshot file.
func (i *Instancer) restore() {
	doc, err := snapshot.Read(i.saver.file, i.saver.ours)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	refuse := func(err error) { level.Warn(i.logger).Log("msg", "snapshot not used", "err", err) }
	if err != nil {
		refuse(err)
		return
	}
	instances := i.admit(doc.Instances)
	if len(instances) == 0 { // unknown is not empty
		refuse(fmt.Errorf("%s: no instances", i.saver.file))
		return
	}
	if i.saver.ours != nil && doc.Registry == nil {
		level.Warn(i.logger).Log("msg", "snapshot does not say whose it is", "file", i.saver.file,
			"taken", i.saver.ours)
	}
	since, why := confirmedAt(doc.Written)
	c := Change{Reset: true, Up: instances, Attributes: doc.AttributesOf()}
	if doc.Policy != nil {
		c.Policy = &PolicyText{Document: doc.Policy.Document, Version: doc.Policy.Version}
	}
	i.take(c, Stale, why)
	i.state.Backdate(since)
	i.index()
}

// confirmedAt returns since when the set of a snapshot is stale, and why.
func confirmedAt(written time.Time) (since time.Time, why error) {
	now := time.Now()
	if written.After(now) {
		return now, fmt.Errorf("a snapshot from the future (%s), so of unknown age, of which the "+
			"registry has said nothing yet", written.UTC().Format(time.RFC3339))
	}
	return written, errUnanswered
}

// save writes the snapshot file when the set has changed, now and then while the registry confirms
// it, and in the end.
func (i *Instancer) save() {
	s := i.saver
	defer close(s.done)
	defer i.write()
	confirm := time.NewTicker(confirmPause)
	defer confirm.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-s.quit:
			return
		case <-pause.C:
		case <-s.urgent:
		}
		due := true
		select {
		case <-s.quit:
			return
		case <-s.changed:
		case <-s.urgent:
		case <-confirm.C:
			due = i.State().Phase == Live
		}
		if due {
			i.write()
		}
		pause.Reset(snapshotPause)
	}
}

// write writes the set to the snapshot file, if it is the registry's, with the time when it was
// last known to be.
func (i *Instancer) write() {
	confirmed := time.Now()
	if s := i.State(); s.Phase != Live {
		confirmed = s.Since
	}
	entries := i.Entries() // changes since then are no harm
	if !i.answered.Load() || len(entries) == 0 {
		return
	}
	doc := snapshot.New(confirmed, i.saver.ours, entries)
	if i.steering != nil {
		p := i.Policy()
		doc.Policy = &snapshot.Policy{Document: p.Document.String(), Version: p.Version}
	}
	if err := i.saver.write(doc); err != nil && i.saver.isNews(err) {
		level.Warn(i.logger).Log("msg", "snapshot not written", "err", err)
	}
}

// write writes the file, unless it is another registry's.
func (s *saver) write(doc snapshot.Document) error {
	if !s.isOurs {
		if _, err := snapshot.Read(s.file, s.ours); errors.Is(err, snapshot.ErrNotOurs) {
			return err
		}
	}
	err := snapshot.Write(s.file, doc)
	s.isOurs = s.isOurs || err == nil
	return err
}
