package doctor

import (
	"context"
	"time"

	"example.com/daytime/cmd/internal/probe"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd/zk/session"
)

const (
	maxLag  = time.Second            // that a member may be behind the others
	lagPoll = 100 * time.Millisecond // between two looks at one that is behind
)

// checkLag tells members that do not have, a second later, what another one has. A session that is
// opened and closed is a change that every member must see.
func (z *zookeeper) checkLag(ctx context.Context, best *member) {
	if len(z.members) < 2 || z.split {
		return
	}
	z.makeChange(ctx, best)
	probe.Each(len(z.members), maxMembers, func(i int) {
		if m := z.members[i]; m.srvr.Known() { // others do not answer, or not this
			z.askSrvr(ctx, m)
		}
	})
	most := int64(0)
	for _, m := range z.members {
		most = max(most, m.srvr.Zxid)
	}
	behind := make([]bool, len(z.members))
	until := time.Now().Add(maxLag)
	probe.Each(len(z.members), maxMembers, func(i int) {
		switch m := z.members[i]; {
		case m.srvr.Mode == readOnly: // nobody's list is from there
		case m.srvr.Known():
			behind[i] = z.staysBehind(ctx, m, most, until)
		case m.conn != nil && m != best:
			behind[i] = m.syncsSlowly(ctx)
		}
	})
	z.tellLag(behind, most)
}

// tellLag tells which members are behind.
func (z *zookeeper) tellLag(behind []bool, most int64) {
	const advice = "mend its way to the leader, or take it out of --sd; its clients see an old list"
	for i, m := range z.members {
		switch {
		case !behind[i]:
		case m.srvr.Known() && m.srvr.Zxid>>32 != most>>32: // whose difference counts no changes
			z.Error("lag", m.String(), advice, "the %s is behind another member, which has had "+
				"another leader since, for %v at least", m.srvr.Mode, maxLag)
		case m.srvr.Known():
			z.Error("lag", m.String(), advice, "the %s is %d changes behind another member, for "+
				"%v at least",
				m.srvr.Mode, most-m.srvr.Zxid, maxLag)
		default:
			z.Error("lag", m.String(), advice, "it has not caught up with the leader within %v",
				maxLag)
		}
	}
	if !z.Has("lag") {
		z.Fine("lag", z.path, "no member is behind")
	}
}

// makeChange opens and closes a session on the member that has the most.
func (z *zookeeper) makeChange(ctx context.Context, best *member) {
	extra := &member{host: best.host, address: best.address}
	how := z.how
	how.Hosts, how.Lookup = []string{best.host}, only(best.address)
	if extra.session, extra.err = session.New(how); extra.err != nil {
		return
	}
	extra.session.Start(nil)
	_ = extra.await(ctx, z.Timeout) // without it there is less to compare by
	extra.session.Close()
}

// staysBehind reports whether a member has not seen a change by a time. An epoch without a change
// in it is none (a zxid is epoch<<32 + counter). One that does not answer any more is told
// elsewhere.
func (z *zookeeper) staysBehind(ctx context.Context, m *member, most int64, until time.Time) bool {
	for m.srvr.Zxid < most && most&0xffffffff > 0 {
		if time.Now().After(until) {
			return true
		}
		if !shell.Sleep(ctx, lagPoll) {
			return false
		}
		if z.askSrvr(ctx, m); m.wordErr != nil || m.srvr.Idle {
			return false
		}
	}
	return false
}

// syncsSlowly reports whether a member takes long to catch up with the leader, where srvr does not
// tell how far it is.
func (m *member) syncsSlowly(ctx context.Context) bool {
	err := m.within(ctx, maxLag+2*m.latency, func(c *session.Conn) error {
		_, err := c.Sync("/")
		return err
	})
	return m.conn == nil && err != nil
}
