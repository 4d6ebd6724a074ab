package lb

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	"example.com/daytime/sd/policy"
)

// A witness is a registry, and what its instances have said, also those that it has no more.
type witness struct {
	*mem.Registry
	*mem.Backend
	*sd.Instancer
	said map[string]policy.Attributes
}

func newWitness(t *testing.T) *witness {
	r := mem.NewRegistry()
	w := &witness{Registry: r, Backend: r.Open(), said: map[string]policy.Attributes{}}
	w.Instancer = sd.NewInstancer(w, nopLogger(), sd.FollowPolicy())
	t.Cleanup(w.Instancer.Stop)
	return w
}

func (w *witness) Watch(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	return w.Backend.Watch(ctx, want, func(c sd.Change) {
		for _, name := range c.Up {
			w.said[name] = policy.Attributes{}
		}
		maps.Copy(w.said, c.Attributes)
		emit(c)
	})
}

func (w *witness) Close() error { return w.Backend.Close() }

// step does something to an instance, to the policy, or to the registry.
func (w *witness) step(name string, r *rand.Rand) {
	switch r.IntN(7) {
	case 0, 1, 2:
		weight := 50 * r.IntN(3)
		w.PutEntry(name, policy.Attributes{Weight: &weight, Zone: fmt.Sprint("z", r.IntN(2)),
			Tags: map[string]string{"version": fmt.Sprint(r.IntN(3))}})
	case 3, 4:
		w.Expire(name)
	case 5:
		w.Fail(context.DeadlineExceeded)
		w.Expire(name)
		w.Fail(nil)
	case 6:
		lines := []string{policy.Header}
		for range r.IntN(4) {
			line := []string{"drain version=1", "drain 10.0.0.0/31", "withdraw zone=z2", "weight version=2 7",
				"weight * 0", "share version=1 10%", "share version=2 20%", "zone z2 10.0.0.4/31"}[r.IntN(8)]
			if until := r.IntN(10); until > 4 {
				line += " until=" + time.Now().Add(time.Duration(until)*time.Second).UTC().Format(time.RFC3339)
			}
			lines = append(lines, line)
		}
		w.SetPolicy(strings.Join(lines, "\n"))
	}
	synctest.Wait()
	time.Sleep(time.Duration(r.IntN(200)) * time.Millisecond) // some changes are told together
}

// Each member is what the policy of its registry says now, in reserve as well, whatever two registries
// go through, which are joined; the first with a share splits the calls.
func TestMembersOfJoinedRegistries(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			r, all := rand.New(rand.NewPCG(seed, 0)), names(8)
			parts := []*witness{newWitness(t), newWitness(t)}
			joined := sd.Join([]sd.Part{{Name: "0", Instancer: parts[0].Instancer},
				{Name: "1", Instancer: parts[1].Instancer}}, nopLogger())
			defer joined.Stop()
			p := NewPool(joined, nop, nopLogger(), Reserve(20*time.Second), SlowStart(0))
			defer p.Close()
			for range 30 {
				for range 6 {
					k := r.IntN(len(all)) // every second one is the first registry's
					parts[k%2].step(all[k], r)
				}
				lines := time.Now().Truncate(time.Second).Add(1500 * time.Millisecond)
				time.Sleep(time.Until(lines)) // half a second after some have ended
				synctest.Wait()
				split, compiled := 2, make([]*policy.Policy, 2)
				for i := 1; i >= 0; i-- {
					compiled[i] = parts[i].Policy().Document.Compile(time.Now())
					if len(compiled[i].Sides()) > 1 {
						split = i
					}
				}
				for k, name := range all {
					want := compiled[k%2].Effective(policy.Entry{Instance: name, Attributes: parts[k%2].said[name]})
					if want.Withdrawn = false; k%2 != split {
						want.Side = 0
					}
					m := p.members[name]
					if m == nil {
						continue
					}
					have := policy.Effective{Weight: m.Weight(), Zone: m.zone, Drained: m.drained, Side: int(m.side.Load())}
					if want != have || m.drained && m.presence == reserve {
						t.Fatalf("seed %d, %s, presence %d: want %+v, have %+v", seed, name, m.presence, want, have)
					}
				}
			}
		})
	}
}
