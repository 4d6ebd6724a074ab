package etcd

import (
	"context"
	"math/rand/v2"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	auditEvery = 30 * time.Second
	auditGrace = 2 * time.Second // for events on their way, before they count as missed
	// auditNames bounds what audits cost: the names of so many entries are read in every audit,
	// those of n times as many in every nth, and only their number in between.
	auditNames = 1000
)

// A watch of etcd can miss events and go on (etcd-io/etcd#15220 is in Debian's 3.4.23), and it can
// fall silent. The latter is found by asking for signs of life, the former only by reading: now and
// then the directory is read as the majority has it, and compared with what the events have made of
// it.
//
// The two are of different moments. What the read has and the events have not may be on its way, so
// that a difference is only a suspicion until auditGrace is over; and what the events have that is
// later than the read is none. What is still different then was missed: the watch is over, and the
// next one begins with a list.

// auditPause is the time until the next audit, or until a suspicion is looked at.
func (f *follower) auditPause() time.Duration {
	if f.suspect != nil {
		return auditGrace
	}
	return f.backend.auditPeriod()
}

// auditPeriod is auditEvery, more or less: not all that lost a member read at the same time.
func (b *Backend) auditPeriod() time.Duration {
	return b.auditEvery*4/5 + rand.N(b.auditEvery*2/5)
}

// audit reads the directory, or decides about a suspicion.
func (f *follower) audit(ctx context.Context) error {
	if f.suspect != nil {
		missed := f.differs(f.suspect)
		f.suspect, f.removed = nil, nil
		if missed {
			f.backend.repaired.Add(1)
			f.backend.countRepair()
			return errMissed
		}
		return nil
	}
	f.audits++
	if !readsNames(f.audits, len(f.entries)) {
		same, err := f.counts(ctx)
		if err != nil || same {
			return err
		}
	}
	now, err := f.list(ctx)
	if err != nil {
		return err
	}
	if f.differs(&now) {
		f.suspect, f.removed = &now, map[string]int64{}
	}
	return nil
}

// readsNames reports whether the nth audit of so many entries reads their names.
func readsNames(n, entries int) bool { return n%(1+entries/auditNames) == 0 }

// counts reports whether there are as many entries, and the same policy, as the events say.
func (f *follower) counts(ctx context.Context) (same bool, err error) {
	got, err := f.get(ctx, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return false, err
	}
	mod := int64(0)
	for _, kv := range got.Responses[0].GetResponseRange().Kvs {
		mod = kv.ModRevision
	}
	return int(got.Responses[1].GetResponseRange().Count) == len(f.entries) && mod == f.parent.mod, nil
}

// differs reports whether what was read is not, or not yet, what the events say.
func (f *follower) differs(read *snapshot) bool {
	if read.parent.mod != f.parent.mod {
		return true
	}
	for name, e := range read.entries {
		if f.entries[name].mod < e.mod && f.removed[name] <= read.revision {
			return true
		}
	}
	for name, e := range f.entries {
		if _, is := read.entries[name]; !is && e.mod <= read.revision {
			return true
		}
	}
	return false
}
