package matrix

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/daytime/sd/zk/zktest"
)

// networkRows are the ones between the fleet and ZooKeeper. This fleet has credentials, so that
// every connection proves them again.
func networkRows(t *testing.T, r *rig) {
	secret := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(secret, []byte("daytime:correct horse"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFleet(t, r, "network", plan{query: "&auth-file=" + secret})
	hungRows(f)
	writeErrorRow(f)
	expiryRows(f)
}

// hungRows are F19: servers that accept, and then say nothing.
func hungRows(f *fleet) {
	f.row("F19", "handshake hangs on one ZooKeeper", func(r *row) { r.hang(r.proxies[:1]) })
	f.row("F19", "handshake hangs on two ZooKeepers", func(r *row) { r.hang(r.proxies[:2]) })
}

// hang wants everybody on the servers that do not hang, before a session has ended.
func (r *row) hang(hung []*zktest.Proxy) {
	r.Helper()
	bad := map[string]bool{}
	for _, p := range hung {
		p.Hang()
		bad[p.Addr()] = true
	}
	good := func(server string) bool { return !bad[server] }
	r.converged = r.reset(sessionTimeout+slack, good, hung...)
	hold(time.Second)
	r.noExpiry()
	r.quiet()
	for _, p := range hung {
		p.Heal()
		p.Reset() // the connections that hang
	}
}

// writeErrorRow is F21: the first request after a handshake fails, three times in a row.
func writeErrorRow(f *fleet) {
	f.row("F21", "write error after the handshake, 3 times", func(r *row) {
		for _, t := range r.taps {
			t.breakNext(3)
		}
		r.each((*zktest.Proxy).Reset)
		r.converged = r.await(r, 5*time.Second, func() error {
			for _, t := range r.taps {
				if t.mayBreak() {
					return errors.New("not yet reconnected three times")
				}
			}
			return nil
		})
		r.converged += r.connected(5*time.Second, anywhere)
		r.owned(slack)
		r.agree(slack, r.instances()...)
		r.noExpiry()
		r.quiet()
	})
}

// expiryRows are F24 and F25: sessions end while everybody is well.
func expiryRows(f *fleet) {
	f.row("F24", "session of a server, and of a client, expired", func(r *row) {
		r.expire(r.servers[:1], r.clients[:1])
		r.converged = r.owned(time.Second + slack)
		r.agree(slack, r.instances()...)
		r.connected(time.Second+slack, anywhere)
	})
	f.row("F25", "sessions of all servers expired at once", func(r *row) {
		r.leavesOneSide() // for the moment in which half are back, if it is that half
		r.expire(r.servers, nil)
		r.converged = r.owned(time.Second + slack)
		r.agree(slack, r.instances()...)
	})
}

// expire ends sessions from outside.
func (r *row) expire(servers []*server, clients []*client) {
	r.Helper()
	var err error
	for _, s := range servers {
		err = errors.Join(err, s.tap.expire(r.Addrs()[0], s.backend.Stats().Session))
	}
	for _, c := range clients {
		err = errors.Join(err, c.tap.expire(r.Addrs()[0], c.backend.Stats().Session))
	}
	if err != nil {
		r.Fatal(err)
	}
}
