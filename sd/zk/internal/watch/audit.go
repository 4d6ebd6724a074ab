package watch

import (
	"math/rand/v2"
	"time"

	gozk "github.com/go-zookeeper/zk"
)

// AuditInterval is the time between two comparisons with ZooKeeper, ± 20 %.
const AuditInterval = 30 * time.Second

// UntilAudit returns how long it is to the next audit.
func UntilAudit() time.Duration { return AuditInterval*4/5 + rand.N(AuditInterval*2/5) }

// A baseline is the Stat of the parent at one moment, and how many children had been created or
// deleted by that moment, as far as events tell. The Stat says nothing about events, which come on
// their own: when it was read they were lo at least, counted before it was asked for, and hi at
// most, counted after it had come.
type baseline struct {
	stat   gozk.Stat
	lo, hi int64
	data   int64 // changes of the parent's own data, counted as lo is
}

// exact reports whether no event came while the Stat was read.
func (b baseline) exact() bool { return b.lo == b.hi }

// fits reports whether the events between two baselines can be all that there were.
//
// ZooKeeper raises the parent's Cversion by one with every child created or deleted, and sends one
// event for it. Of the number of events from the one Stat to the other only bounds are known: the
// least is from the latest first to the earliest last, and the most the other way round. The rise
// of Cversion must lie between them.
func (b baseline) fits(later baseline) bool {
	rise := int64(later.stat.Cversion - b.stat.Cversion)
	return later.lo-b.hi <= rise && rise <= later.hi-b.lo
}

// scheduleAudit sets when the next audit is due. However much happens, it does not move: audits are
// for one event that is missing among many.
func (f *follower) scheduleAudit() { f.auditAt = time.Now().Add(UntilAudit()) }

// audit fails if an event was missed, so that everything is armed and read again:
// https://github.com/prometheus/prometheus/issues/1895 shows a client without. It reports whether
// the children must be listed again.
func (f *follower) audit() (again bool, err error) {
	now, exists, err := f.readBaseline()
	switch {
	case err != nil:
		return false, err
	case !f.found: // and no event has told that there is a directory
		return exists, nil
	case !exists:
		return false, errRemoved
	case now.stat.Czxid != f.base.stat.Czxid: // it was removed, and made again
		return false, f.missedEvent()
	case f.auditPolicy(&now.stat):
		return false, f.missedEvent()
	case f.persistent:
		again, err = f.auditEvents(now)
	default:
		again, err = f.auditList(now)
	}
	if err == nil && !again && f.describes {
		err = f.readAgain()
	}
	return again, err
}

// auditEvents compares the number of events of the persistent watch with Cversion. An event that
// came while the Stat was read may stand for another one that is missing. So only an exact baseline
// is the next one, and if the one in use is not, a list brings another.
func (f *follower) auditEvents(now baseline) (again bool, err error) {
	switch {
	case !f.base.fits(now):
		return false, f.missedEvent()
	case !f.base.exact():
		return true, nil
	case now.exact():
		f.base = now
	}
	return false, nil
}

// auditList compares the parent with the list. Its one-shot watch may have fired meanwhile: an
// event comes before the reply that knows of its change.
func (f *follower) auditList(now baseline) (again bool, err error) {
	if again, err = f.takeEvents(); again || err != nil {
		return again, err
	}
	if now.stat.Cversion != f.base.stat.Cversion {
		return false, f.missedEvent()
	}
	return false, nil
}

func (f *follower) readBaseline() (b baseline, exists bool, err error) {
	b.lo = f.queue.counted().children
	exists, stat, err := f.conn.Exists(f.dir.Parent)
	if err == nil {
		err = f.conn.Err()
	}
	if err != nil || !exists {
		return b, exists, err
	}
	b.stat, b.hi = *stat, f.queue.counted().children
	return b, exists, nil
}

// missedEvent notes that an event was missed, and returns that as an error.
func (f *follower) missedEvent() error {
	f.dir.missed()
	return errMissed
}
