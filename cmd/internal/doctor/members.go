package doctor

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"example.com/daytime/cmd/internal/doctor/words"
	"example.com/daytime/cmd/internal/probe"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd/zk/session"
)

const (
	maxMembers = 20               // that are asked at a time
	pings      = 3                // questions of which the fastest is a member's latency
	listBound  = 10 * time.Second // for all of a directory, and no less than the timeout
)

// errSlow: a question was not answered in time.
var errSlow = errors.New("no answer in time")

// A member is one address of one host of the target, as it showed itself.
type member struct {
	host    string // as in the target: host:port
	address string // ip:port
	wordErr error  // why srvr is not known
	srvr    words.Server
	cert    *x509.Certificate // nil without TLS

	err     error // why it granted no session
	granted time.Duration
	latency time.Duration
	seen    mark // the directory, as this member has it

	session *session.Session
	conn    *session.Conn
}

// A mark is the state of a directory on one member. That of two members of one ensemble has one
// czxid.
type mark struct {
	known, found bool
	czxid, pzxid int64
	nodes        int32
}

// String is the address, behind the name that it was found under.
func (m *member) String() string {
	if m.host == m.address {
		return m.host
	}
	name, _, _ := net.SplitHostPort(m.host)
	return name + "/" + m.address
}

// within calls do with the member's connection, and ends the session after the bound, which ends
// the requests of do.
func (m *member) within(ctx context.Context, bound time.Duration,
	do func(*session.Conn) error) error {
	if m.conn == nil {
		return m.err
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { m.session.Close() })
	err := do(m.conn)
	if !stop() && err != nil {
		m.conn = nil
		m.err = fmt.Errorf("%w (%v)", errSlow, bound)
		return m.err
	}
	return err
}

// resolve returns the addresses of the hosts, and tells those that have none.
func (z *zookeeper) resolve(ctx context.Context) (members []*member) {
	ctx, cancel := context.WithTimeout(ctx, max(z.Timeout, 5*time.Second))
	defer cancel()
	found := make([][]netip.Addr, len(z.how.Hosts))
	failed := make([]error, len(z.how.Hosts))
	probe.Each(len(found), maxMembers, func(i int) {
		name, _, _ := net.SplitHostPort(z.how.Hosts[i])
		found[i], failed[i] = net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	})
	for i, host := range z.how.Hosts {
		_, port, _ := net.SplitHostPort(host)
		if failed[i] != nil {
			z.Error("member", host, "correct the name in --sd, or the name server",
				"the name does not resolve: %v", brief(failed[i]))
		}
		for _, addr := range found[i] {
			members = append(members,
				&member{host: host, address: net.JoinHostPort(addr.Unmap().String(), port)})
		}
	}
	return members
}

// meet learns what one member says.
func (z *zookeeper) meet(ctx context.Context, m *member) {
	var asked sync.WaitGroup
	asked.Go(func() { z.askSrvr(ctx, m) })
	defer asked.Wait()
	how := z.how
	how.Hosts = []string{m.host}
	how.Lookup = only(m.address)
	if m.session, m.err = session.New(how); m.err != nil {
		return
	}
	m.session.Start(nil)
	if m.err = m.await(ctx, z.Timeout); m.err != nil {
		return
	}
	m.granted = m.session.Timeout()
	for n := 0; n < pings && m.err == nil; n++ {
		m.err = m.within(ctx, z.Timeout, func(c *session.Conn) error { return m.look(c, z.path) })
	}
	if m.err != nil {
		m.conn = nil
	}
}

// askSrvr asks for version and mode.
func (z *zookeeper) askSrvr(ctx context.Context, m *member) {
	text, cert, err := z.speaker(m).Ask(ctx, "srvr")
	if err == nil {
		m.srvr, err = words.ParseSrvr(text)
	}
	m.wordErr = err
	if cert != nil {
		m.cert = cert
	}
}

func (z *zookeeper) speaker(m *member) words.Speaker {
	t := z.how.TLS
	return words.Speaker{Address: m.address, TLS: words.Secure(t.CA, t.Cert, t.Key, m.host),
		Timeout: z.Timeout}
}

// only is a lookup that finds one address.
func only(address string) session.LookupFunc {
	return func(_ context.Context, network, _ string) ([]netip.Addr, error) {
		ap, err := netip.ParseAddrPort(address)
		if err != nil || (network == "ip4") != ap.Addr().Is4() {
			return nil, &net.DNSError{Err: "not of this family", IsNotFound: true}
		}
		return []netip.Addr{ap.Addr()}, nil
	}
}

// await waits for the session.
func (m *member) await(ctx context.Context, timeout time.Duration) (err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		m.conn, err = m.session.Wait(ctx)
		switch {
		case err == nil, ctx.Err() != nil, errors.Is(err, session.ErrDenied):
			return err
		}
		// Wait may return at once, because it is known that there is no session.
		shell.Sleep(ctx, 20*time.Millisecond)
	}
}

// look notes the directory, and the latency of the question for it.
func (m *member) look(c *session.Conn, path string) error {
	begin := time.Now()
	found, stat, err := c.Exists(path)
	took := time.Since(begin)
	if err != nil {
		return err
	}
	if m.latency == 0 || took < m.latency {
		m.latency = took
	}
	m.seen = mark{known: true, found: found}
	if found {
		m.seen.czxid, m.seen.pzxid, m.seen.nodes = stat.Czxid, stat.Pzxid, stat.NumChildren
	}
	return nil
}

// close ends all sessions.
func (z *zookeeper) close() {
	var all sync.WaitGroup
	for _, m := range z.members {
		if m.session != nil {
			all.Go(func() { m.session.Close() })
		}
	}
	all.Wait()
}

// serving are the members with a session.
func (z *zookeeper) serving() []*member {
	return slices.DeleteFunc(slices.Clone(z.members), func(m *member) bool { return m.conn == nil })
}

// best is the member that is read from: one that has seen the most, or, of several ensembles, one
// in which most are registered.
func (z *zookeeper) best() *member {
	serving := z.serving()
	if len(serving) == 0 {
		return nil
	}
	return slices.MaxFunc(serving, func(a, b *member) int {
		if z.split {
			return cmp.Compare(a.seen.nodes, b.seen.nodes)
		}
		return cmp.Or(cmp.Compare(a.seen.pzxid, b.seen.pzxid), cmp.Compare(a.srvr.Zxid,
			b.srvr.Zxid))
	})
}
