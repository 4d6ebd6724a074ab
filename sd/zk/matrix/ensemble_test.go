package matrix

import (
	"slices"
	"testing"
	"time"
)

// back is when everybody has registered again after ZooKeeper's return.
const back = sessionTimeout + 2*time.Second

// ensembleRows are those that break ZooKeeper itself, on a fleet in this process.
func ensembleRows(t *testing.T, r *rig) {
	f := newFleet(t, r, "ensemble", plan{})
	frozenServerRows(f)
	reconnectRow(f)
	outageRows(f)
}

// outageRows are those in which nobody has a session any more.
func outageRows(f *fleet) {
	freezeAllRow(f)
	restartRow(f)
	wipeRow(f)
}

// lastPings bounds the expiries of F8a. A follower tells the leader twice a tick which sessions it
// has heard of. Those whose last ping it had not passed on when it froze have two thirds of the
// timeout left, rounded up to a tick, and that is also when their clients notice: some may be late,
// and none gives its session up.
func (r *row) lastPings() {
	r.Helper()
	if n, most := r.renewed(), len(r.backends())/5; n > most {
		r.judge("%s: want at most %d sessions expired, have %d", r.id, most, n)
	}
	if n := r.recreated() - r.eras; n > 0 {
		r.Errorf("%s: want no session given up, have %d", r.id, n)
	}
}

// reconnectRow cuts connections a hundred times. Sessions live on, so there is nothing to write. It
// comes late, so that sessions of fleets before this one have ended.
func reconnectRow(f *fleet) {
	f.row("R", "100 reconnects", func(r *row) {
		rounds := (100 + len(r.backends()) - 1) / len(r.backends())
		before := r.Leader(r).Zxid(r)
		for range rounds {
			r.converged = max(r.converged, r.reset(sessionTimeout, anywhere, r.proxies...))
		}
		hold(time.Second) // for a write that is on its way
		if after := r.Leader(r).Zxid(r); after != before {
			r.judge("want nothing written, have zxid 0x%x after 0x%x", after, before)
		}
		for i, c := range r.clients {
			if changes := c.view.Emits(); changes > 0 {
				r.judge("want client %d told nothing, have %d changes", i, changes)
			}
		}
		r.noExpiry()
		r.note("%d reconnects", rounds*len(r.backends()))
	})
}

// leaderRow is F7. An election takes two to three seconds here, and a session of 2 s may expire
// over it.
func leaderRow(t *testing.T, r *rig) {
	f := newFleet(t, r, "leader", plan{timeout: 4 * time.Second})
	f.row("F7", "leader kill -9", func(r *row) {
		leader := r.Leader(r)
		begun := time.Now()
		leader.Kill(r)
		hold(200 * time.Millisecond) // until everybody has noticed
		r.connected(10*time.Second, anywhere)
		r.owned(slack)
		r.converged = time.Since(begun)
		r.quiet()
		leader.Launch(r)
		leader.Await(r)
		hold(time.Second)
		r.noExpiry()
	})
}

// frozenServerRows are F8. With the next server frozen as well, the way from the one in use to the
// third leads through a handshake that hangs. The one in use is cut off and not killed, since two
// of three must go on voting.
func frozenServerRows(f *fleet) {
	i := slices.Index(f.Servers(), f.Followers(f)[0])
	frozen, before, after := f.Servers()[i], f.proxies[(i+2)%3], f.proxies[(i+1)%3]
	f.row("F8a", "ZooKeeper in use frozen for 3T", func(r *row) {
		begun := time.Now()
		frozen.Freeze(r)
		r.converged = r.connected(sessionTimeout,
			func(server string) bool { return server != r.proxies[i].Addr() })
		hold(time.Until(begun.Add(3 * sessionTimeout)))
		r.lastPings()
	})
	f.agree(slack, f.instances()...)
	after.Refuse() // so that everybody is on the one to be cut off
	f.reset(sessionTimeout, func(server string) bool { return server == before.Addr() }, after)
	after.Heal()
	f.row("F8b", "next frozen, then the one in use cut off", func(r *row) {
		before.Refuse()
		r.converged = r.reset(sessionTimeout, func(server string) bool { return server == after.Addr() },
			before)
		r.noExpiry()
		r.quiet()
		before.Heal()
		frozen.Thaw(r)
		frozen.Await(r)
	})
}

// freezeAllRow is F9.
func freezeAllRow(f *fleet) {
	f.row("F9", "all ZooKeepers frozen for 3T", func(r *row) {
		r.Freeze(r)
		hold(3 * sessionTimeout)
		r.Thaw(r)
		r.Await(r)
		r.converged = r.owned(back)
		r.agree(slack, r.instances()...)
	})
}

// restartRow is the day when the whole ensemble is restarted at once.
func restartRow(f *fleet) {
	f.row("F9b", "all ZooKeepers killed and restarted", func(r *row) {
		r.Kill(r)
		hold(sessionTimeout)
		r.launch()
		r.converged = r.owned(back)
		r.agree(slack, r.instances()...)
	})
}

// wipeRow is F13.
func wipeRow(f *fleet) {
	f.row("F13", "all data wiped", func(r *row) {
		r.losesPolicy()
		r.Wipe(r)
		hold(sessionTimeout)
		r.launch()
		r.connect(r)
		r.converged = r.owned(back)
		r.agree(slack, r.instances()...)
	})
}

// launch starts every ZooKeeper, and returns when all serve.
func (f *fleet) launch() {
	f.Helper()
	for _, s := range f.Servers() {
		s.Launch(f)
	}
	f.Await(f)
}
