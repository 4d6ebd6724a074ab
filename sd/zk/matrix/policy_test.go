package matrix

import (
	"fmt"
	"math"
	"slices"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/lb"
	"example.com/daytime/sd/policy"
)

// In a rig that is steered every fleet has a policy: one server is drained, and those of version 2
// have a share of the calls. A row then wants, beside all that it wants anyway, that the policy is
// still there at its end, that the drained server was not called, and that the share was kept.
const (
	drainedServer = serverCount - 1
	version2Share = 0.2
	// fewestCalls are those by which a share is judged.
	fewestCalls = 200
)

// versionOf is the tag of server i in a steered fleet.
func (f *fleet) versionOf(i int) string {
	switch {
	case !f.steered:
		return ""
	case i != drainedServer && i%2 == 1:
		return "2"
	default:
		return "1"
	}
}

// version has server i say its version, and remembers it.
func (f *fleet) version(i int, instance string) string {
	f.versions[instance] = f.versionOf(i)
	return f.versions[instance]
}

// policyText is the policy of a steered fleet.
func (f *fleet) policyText() string {
	return fmt.Sprintf("%s\ndrain %s by=matrix\nshare version=2 %g%%\n",
		policy.Header, f.instances()[f.drained()], 100*version2Share)
}

// drained is the index of the drained server, which is the last of those there were first.
func (f *fleet) drained() int { return min(drainedServer, len(f.instances())-1) }

// steer puts the policy in force, if it is not, and waits until every client follows it, and its pool
// does, which hears of it after the client.
func (f *fleet) steer() {
	f.Helper()
	text := f.policyText()
	wait.For(f, 5*time.Second, func() error {
		data, stat, err := f.admin.Get(f.directory)
		if err == nil && string(data) != text {
			_, err = f.admin.Set(f.directory, []byte(text), stat.Version)
		}
		return err
	})
	wait.For(f, 5*time.Second, func() error {
		for i, c := range f.clients {
			if have := c.view.Policy(); have.Document.String() != text || have.Tally.Drained != 1 {
				return fmt.Errorf("client %d: want %q followed, have %q, %d drained, %v",
					i, text, have.Document, have.Tally.Drained, have.Err)
			}
			if !c.hasDrained(f.instances()[f.drained()]) {
				return fmt.Errorf("pool of client %d: want the server drained there, too", i)
			}
		}
		return nil
	})
	f.drainedName = f.instances()[f.drained()]
}

// hasDrained reports whether the pool of a client knows that an instance is drained.
func (c *client) hasDrained(instance string) bool {
	return slices.ContainsFunc(c.pool.Stats(),
		func(s lb.Stat) bool { return s.Instance == instance && s.Drained })
}

// clientOptions are those of the clients.
func (f *fleet) clientOptions() []sd.InstancerOption {
	if f.steered {
		return []sd.InstancerOption{sd.FollowPolicy()}
	}
	return nil
}

// losesPolicy says that the fault of this row takes the policy away. It is no policy then.
func (r *row) losesPolicy() { r.policyGoes = true }

// leavesOneSide says that after the fault of this row there is nobody else for the share's calls,
// or for the others.
func (r *row) leavesOneSide() { r.oneSided = true }

// steeredWell judges a row by the policy.
func (r *row) steeredWell(c count) {
	r.Helper()
	var data []byte
	_, err := wait.Until(5*time.Second, func() (err error) { // the other program may have to reconnect
		data, _, err = r.admin.Get(r.directory)
		return err
	})
	gone := err == nil && len(data) == 0
	if err != nil || gone != r.policyGoes {
		r.Errorf("%s: want the policy gone: %v, have %q, %v", r.id, r.policyGoes, data, err)
	}
	if gone {
		r.note("policy gone")
		return
	}
	if n := c.begun[r.drainedName]; n > 0 {
		r.judge("%s: want %s, which is drained, not called, have %d attempts", r.id, r.drainedName, n)
	}
	r.share(c)
}

// share wants version 2 to have had its part of the answers. Who fails sends a call to the other
// side, so that each failed attempt may have moved one.
func (r *row) share(c count) {
	r.Helper()
	answers, share := 0, 0
	for instance, n := range c.answered {
		answers += n
		if r.versions[instance] == "2" {
			share += n
		}
	}
	if answers < fewestCalls || r.oneSided {
		return
	}
	have, n := float64(share)/float64(answers), float64(answers)
	bound := 4*math.Sqrt(version2Share*(1-version2Share)/n) + float64(c.failedAttempts())/n
	r.note("share %.3f", have)
	if math.Abs(have-version2Share) > bound {
		r.judge("%s: want %.2f ± %.3f of the calls at version 2, have %.3f of %d",
			r.id, version2Share, bound, have, answers)
	}
}
