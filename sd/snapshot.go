package sd

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"example.com/daytime/sd/internal/snapshot"
	"github.com/go-kit/log/level"
)

// Snapshot keeps the last set in file, for the next start: while the registry has not answered, the
// Instancer then begins with the set of the file, and its state is stale since the registry last
// confirmed that. By default, and with an empty name, there is no file, and the set is unknown at
// first.
//
// Of is the target of the Backend, one at most, and is kept in the file. A file of another target
// is not read, and not replaced either: one whose scheme or path differ, or that has no host in
// common. A file without a target, as older programs wrote it, is read with a warning. Without of,
// a file of any target is read and replaced.
//
// The file is replaced as a whole: at most every 5 s, but at once with another policy, by Stop, and
// once a minute so that its time is that of the last confirmation. Its mode is 0600. It is believed
// if it is this user's or root's, or if a group of this process may write it, unless others may
// write it or, where a group may, its directory. Its content is checked like that of a registry. An
// empty set is not written: it may be a mistake, and starting with servers that are gone costs a
// refused connection. With [FollowPolicy] the policy and the attributes are kept as well. Where of
// says policy=off, the policy of the file is not followed either, and stays in it. [CheckSnapshot]
// says what can never be such a file.
func Snapshot(file string, of ...Target) InstancerOption {
	return func(i *Instancer) {
		if i.saver = nil; file == "" {
			return
		}
		i.saver = snapshot.NewSaver(file)
		for _, t := range of {
			i.policyOff = t.Keys["policy"] == "off"
			i.saver.Ours = originOf(t)
		}
	}
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
	doc, err := snapshot.Read(i.saver.File, i.saver.Ours)
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
		refuse(fmt.Errorf("%s: no instances", i.saver.File))
		return
	}
	if i.saver.Ours != nil && doc.Registry == nil {
		level.Warn(i.logger).Log("msg", "snapshot does not say whose it is", "file", i.saver.File,
			"taken", i.saver.Ours)
	}
	since, why := confirmedAt(doc.Written)
	c := Change{Reset: true, Up: instances, Attributes: doc.AttributesOf()}
	if doc.Policy != nil {
		c.Policy = &PolicyText{Document: doc.Policy.Document, Version: doc.Policy.Version}
	}
	c.Lacking.Policy = i.steering != nil && doc.Policy == nil // it was written by who did not follow it
	if i.policyOff {
		i.keptPolicy = doc.Policy
		c.Policy, c.Lacking.Policy = new(PolicyText), false
	}
	i.apply(c, State{Phase: Stale, Since: since, Err: why})
	i.index()
}

// confirmedAt returns since when the set of a snapshot is stale, and why.
func confirmedAt(written time.Time) (since time.Time, why error) {
	now := time.Now()
	if written.After(now) {
		return now, fmt.Errorf("%w; it is from the future (%s), so of unknown age", errUnanswered,
			written.UTC().Format(time.RFC3339))
	}
	return written, errUnanswered
}

// save begins to keep the snapshot file.
func (i *Instancer) save() {
	i.saver.Start(snapshot.Source{
		Document: i.document,
		IsLive:   func() bool { return i.State().Phase == Live },
		Warn: func(err error) {
			level.Warn(i.logger).Log("msg", "snapshot not written", "err", err)
		},
	})
}

// document is the set as a snapshot, if it is the registry's, with the time when it was last known
// to be.
func (i *Instancer) document() (doc snapshot.Document, ok bool) {
	confirmed := time.Now()
	if s := i.State(); s.Phase != Live {
		confirmed = s.Since
	}
	entries := i.Entries() // changes since then are no harm
	if !i.answered.Load() || len(entries) == 0 {
		return doc, false
	}
	doc = snapshot.New(confirmed, i.saver.Ours, entries)
	if i.policyOff {
		doc.Policy = i.keptPolicy
	} else if i.steering != nil {
		p := i.Policy()
		doc.Policy = &snapshot.Policy{Document: p.Document.String(), Version: p.Version}
	}
	return doc, true
}
