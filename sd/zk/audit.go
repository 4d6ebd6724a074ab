package zk

import (
	"math/rand/v2"
	"time"

	gozk "github.com/go-zookeeper/zk"
)

// auditEvery is how often what should be is compared with what is, ± 20 %.
const auditEvery = 30 * time.Second

// A mark is a state of the parent, and between which two counts of events it
// was read.
type mark struct {
	stat        gozk.Stat
	least, most int64
}

// exact reports whether no event came while the state was read. One that came
// may be counted or not, and so could stand for another that is missing.
func (m mark) exact() bool { return m.least == m.most }

// scheduleAudit sets when the next audit is due. However much happens, it does
// not move: one event that is missing among many is what audits are for.
func (f *follower) scheduleAudit() {
	f.auditAt = time.Now().Add(auditEvery*4/5 + rand.N(auditEvery*2/5))
}

// audit compares the parent's Cversion, which rises by one with every child
// created or deleted, with the events counted since the list. It fails if an
// event was missed, so that everything is armed and read again:
// https://github.com/prometheus/prometheus/issues/1895 is what happens without.
// It reports whether the children must be listed again: there is a directory
// where there was none, a one-shot watch has fired meanwhile, or the list is no
// exact base for the next audit.
func (f *follower) audit() (again bool, err error) {
	least := f.queue.counted()
	there, stat, err := f.Exists(f.parent)
	switch {
	case err != nil || !f.found:
		return there, err
	case f.Err() != nil:
		return false, f.Err()
	case !there:
		return false, errRemoved
	}
	if !f.persistent { // an event comes before the reply that knows of its change
		if events, overflow := f.queue.drain(); overflow || f.fired(events) {
			return true, f.gone(events)
		}
	}
	now := mark{*stat, least, f.queue.counted()}
	changes := int64(stat.Cversion - f.base.stat.Cversion)
	fits := changes == 0
	if f.persistent {
		fits = now.least-f.base.most <= changes && changes <= now.most-f.base.least
	}
	if !fits || stat.Czxid != f.base.stat.Czxid {
		f.mended.Add(1)
		return false, errMissed
	}
	if f.persistent && !f.base.exact() {
		return true, nil
	}
	if now.exact() {
		f.base = now
	}
	return false, nil
}

// admit reports whether stat is not older than what was seen before: a server
// may lag behind the one that was asked before it, and even have a directory
// that was deleted since. A directory that was made later is younger, whatever
// its zxids: after a wipe they begin again. None lags for two session timeouts
// and a sync: then the data has gone back, and is believed.
func (d *directory) admit(stat *gozk.Stat) bool {
	era := d.session.Generation()
	older := era == d.era && stat.Pzxid < d.newest.Pzxid && stat.Ctime <= d.newest.Ctime
	switch {
	case older && d.outdated.IsZero():
		d.outdated = time.Now()
		return false
	case older && time.Since(d.outdated) < 2*d.session.Timeout():
		return false
	}
	d.era, d.newest, d.outdated = era, *stat, time.Time{}
	return true
}
