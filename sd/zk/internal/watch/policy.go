package watch

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"example.com/daytime/sd"
	gozk "github.com/go-zookeeper/zk"
)

const (
	// maxSpread is how long readers wait at most, each a time of its own, before they read a policy
	// that has changed: one event reaches all of them at once.
	maxSpread = 100 * time.Millisecond
	// policyTimeout is how long a connection that answers may fail to bring the policy.
	policyTimeout = 2 * time.Second
	// minPolicyRetry and maxPolicyRetry are between two attempts, before that and after it.
	minPolicyRetry = 200 * time.Millisecond
	maxPolicyRetry = 2 * time.Second
)

// A PolicySchedule is what a reader knows of the policy, which is the data of the directory. It
// reads when the list's Stat, an event or an audit says that there is another version:
//
//	event                          idle             due              failing
//	NodeDataChanged                due in 0-100 ms  -                due in 0-100 ms
//	read, of another version       -                told; idle       told; idle
//	read, of the same version      -                idle             idle; told if it was Lacking
//	not readable                   -                failing          again; Lacking after 2 s
//	denied to a registrar          -                again in 30 s    again in 30 s
type PolicySchedule struct {
	known  bool    // the edition is the one that was told last
	told   edition // of the directory's data
	events int64   // of that data which had come before it was read

	due     time.Time // when to read; zero: idle
	failing time.Time // since when it is not readable; zero: it is
	lacking bool      // which was told
}

// An edition is one policy. A directory that was deleted and made again begins with version 0, so
// that the number alone may be that of a policy of the one before.
type edition struct {
	czxid   int64 // of the directory
	version int32 // of its data
}

func editionOf(stat *gozk.Stat) edition { return edition{stat.Czxid, stat.Version} }

// Due is when to read the policy; the zero time is not before something happens.
func (p *PolicySchedule) Due() time.Time { return p.due }

// Lacking reports whether a policy that cannot be read was told of.
func (p *PolicySchedule) Lacking() bool { return p.lacking }

// Differs reports whether the policy of stat, nil if the directory is gone, is another one than is
// known.
func (p *PolicySchedule) Differs(stat *gozk.Stat) bool {
	return p.known && (stat == nil || p.told != editionOf(stat))
}

// Outdated reports whether there is, as far as is known, another policy than the one that was read.
func (p *PolicySchedule) Outdated() bool { return !p.due.IsZero() && p.failing.IsZero() }

// Changed notes that there may be another policy.
func (p *PolicySchedule) Changed() {
	if p.due.IsZero() || !p.failing.IsZero() {
		p.due = time.Now().Add(rand.N(maxSpread))
	}
}

// Learned notes that the policy of that Stat is known.
func (p *PolicySchedule) Learned(stat *gozk.Stat, events int64) {
	*p = PolicySchedule{known: true, told: editionOf(stat), events: events}
}

// Denied notes that the policy may not be read. When an ACL changes no event tells of that, so it
// is due again with the next audit.
func (p *PolicySchedule) Denied() {
	now := time.Now()
	*p = PolicySchedule{failing: now, due: now.Add(UntilAudit())}
}

// Failed notes that the policy could not be read, and reports whether that is to be told now.
func (p *PolicySchedule) Failed(now time.Time) (tell bool) {
	if p.failing.IsZero() {
		p.failing = now
	}
	p.due = now.Add(minPolicyRetry)
	if now.Sub(p.failing) < policyTimeout {
		return false
	}
	p.due = now.Add(maxPolicyRetry)
	tell, p.lacking = !p.lacking, true
	return tell
}

func (f *follower) followsPolicy() bool {
	return f.want.Policy && !f.dir.NoPolicy && f.dir.Layout == nil
}

// addPolicy adds the policy to a Reset, whose list had that Stat. An empty one costs no read. It
// waits for one that cannot be read, so that no list is told before its policy is known.
func (f *follower) addPolicy(ctx context.Context, c *sd.Change, base baseline) error {
	stat := base.stat
	switch {
	case f.dir.Layout != nil:
		c.Lacking.Policy = f.want.Policy
		return nil
	case f.dir.NoPolicy && f.want.Policy:
		c.Policy = &sd.PolicyText{Version: int64(stat.Version)}
		return nil
	case !f.want.Policy:
		c.Ignored = stat.DataLength > 0 && !f.dir.NoPolicy
		return nil
	case f.policy.known && f.policy.told == editionOf(&stat):
		return nil
	case f.policy.known: // a Reset without it: it is read within 100 ms, as after an event
		f.policy.Changed()
		return nil
	case stat.DataLength == 0 && f.persistent:
		f.policy.Learned(&stat, base.data)
		c.Policy = &sd.PolicyText{Version: int64(stat.Version)}
		return nil
	}
	for {
		text, err := f.readPolicy()
		switch {
		case err != nil || ctx.Err() != nil:
			return errors.Join(err, ctx.Err())
		case text != nil:
			c.Policy = text
			return nil
		case f.policy.Failed(time.Now()):
			f.policy.known = true // as far as it can be
			c.Lacking.Policy = true
			return nil
		}
		f.sleep(ctx, time.Until(f.policy.due))
	}
}

// readPolicy reads the policy, nil if it cannot be read. The error is that of the connection. One
// that is no policy, or longer than one can be, is passed on: its reader says so, once.
func (f *follower) readPolicy() (*sd.PolicyText, error) {
	events := f.queue.counted().data
	data, stat, err := f.dir.ReadData(f.conn)
	if down := f.conn.Err(); down != nil {
		return nil, down
	}
	if err != nil {
		return nil, nil
	}
	f.policy.Learned(stat, events)
	return &sd.PolicyText{Document: string(data), Version: int64(stat.Version)}, nil
}

// tellPolicy reads the policy and emits it, if it is another one.
func (f *follower) tellPolicy() error {
	before := f.policy
	text, err := f.readPolicy()
	switch {
	case err != nil:
		return err
	case text == nil:
		if f.policy.Failed(time.Now()) {
			f.emit(sd.Change{Lacking: sd.Want{Policy: true}})
		}
	case f.policy.told != before.told || before.lacking:
		f.emit(sd.Change{Policy: text})
	}
	return nil
}

// auditPolicy compares the policy of that Stat with the one that is known. It reports whether an
// event was missed: one comes before a reply that knows of its change.
func (f *follower) auditPolicy(stat *gozk.Stat) (missed bool) {
	if !f.followsPolicy() || f.policy.told == editionOf(stat) || !f.policy.due.IsZero() {
		return false
	}
	return f.queue.counted().data == f.policy.events
}
