package zk_test

import (
	"fmt"
	"sync"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/policy/gate"
	"example.com/daytime/sd/sdtest"
	kitsd "github.com/go-kit/kit/sd"
	"github.com/go-kit/log"
)

// policies are written by an operator: of names and hosts that servers have, and of others.
var policies = []string{
	"", "", "",
	policy.Header + "\ndrain 192.0.2.1\nweight * 50\n",
	policy.Header + "\nwithdraw 192.0.2.1:13\n",
	policy.Header + "\nwithdraw 192.0.2.2\ndrain 192.0.2.3\nnonsense\n",
	policy.Header + "\nwithdraw * reason=test\n",
	policy.Header + "\nwithdraw 198.51.100.7\n",
}

// policyKinds change policies and attributes.
var policyKinds = []kind{
	{6, func(sim *simulation, at time.Duration) []step {
		text := choose(sim.random, policies)
		return once(at, func() { sim.writePolicy(text) }, "operator writes the policy %q", text)
	}},
	{4, func(sim *simulation, at time.Duration) []step {
		s, name := sim.someServer()
		weight := sim.random.IntN(3)
		return once(at, func() { sim.setWeight(s, name, weight) }, "%s has the weight %d", name, weight)
	}},
}

// writePolicy replaces the policy.
func (sim *simulation) writePolicy(text string) {
	if sim.server.SetData("/go_servers", []byte(text)) != nil {
		return // no directory
	}
	for _, s := range sim.slots {
		for _, name := range s.instances {
			leave := sim.withheld(name)
			sim.mu.Lock()
			if n := len(sim.wishes[name]); leave || n > 0 && s.process != nil && s.process.wanted[name] {
				sim.wishes[name] = append(sim.wishes[name], wish{time.Now(), leave})
			}
			sim.mu.Unlock()
		}
	}
}

// withheld reports whether the policy, as it is in the directory, withholds name.
func (sim *simulation) withheld(name string) bool {
	data, _, _ := sim.server.Get("/go_servers")
	return policyWithholds(string(data), name)
}

func policyWithholds(document, name string) bool {
	var g gate.Gate
	if err := g.SetPolicy(document); err != nil {
		return false
	}
	_, why := g.Withheld(policy.Entry{Instance: name}, time.Now())
	return why != nil
}

// setWeight has an instance say that of itself.
func (sim *simulation) setWeight(s *slot, name string, weight int) {
	if s.process == nil {
		return
	}
	if err := s.process.registrars[name].SetAttributes(weighing(weight)); err != nil {
		sim.t.Fatal(err)
	}
	s.process.weights[name] = weight
}

// A disciple is an Instancer that follows the policy, and what instances say, and a go-kit component
// that subscribes to it.
type disciple struct {
	*sd.Instancer
	unsubscribe func()

	mu   sync.Mutex
	sent []string // last
}

// newDisciple returns a disciple of b. The component subscribes to from, or to the disciple itself.
func (sim *simulation) newDisciple(name string, b sd.Backend, from *spectator) *disciple {
	d := &disciple{Instancer: sd.NewInstancer(b, log.With(sim.logger, "process", name), sd.FollowPolicy())}
	source := d.Instancer
	if from != nil {
		source = from.Instancer
	}
	events := make(chan kitsd.Event)
	var reader sync.WaitGroup
	reader.Go(func() {
		for e := range events {
			d.mu.Lock()
			d.sent = e.Instances
			d.mu.Unlock()
		}
	})
	source.Register(events)
	d.unsubscribe = func() {
		source.Deregister(events)
		close(events)
		reader.Wait()
	}
	return d
}

func (d *disciple) stop() {
	d.unsubscribe()
	d.Stop()
}

// wasSent returns an error unless the component was sent those of entries that the document does not
// drain, or all if it drains all.
func (d *disciple) wasSent(document string, entries []policy.Entry) error {
	parsed, err := policy.Parse(document)
	if err != nil {
		return err
	}
	var all, rest []string
	compiled := parsed.Compile(time.Now())
	for _, e := range entries {
		if all = append(all, e.Instance); !compiled.Effective(e).Drained {
			rest = append(rest, e.Instance)
		}
	}
	if len(rest) == 0 {
		rest = all
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return sdtest.Same("sent to a component", rest, d.sent)
}

// steered returns an error unless the node of name, which p has registered, says what it is to say.
func (p *program) steered(name string, data []byte) error {
	r, err := record.Parse(data)
	if err != nil {
		return fmt.Errorf("data of %s: %w", name, err)
	}
	want := policy.DefaultWeight
	if weight, set := p.weights[name]; set {
		want = weight
	}
	if have := r.Attributes.EffectiveWeight(); have != want {
		return fmt.Errorf("weight of %s: want %d, have %d", name, want, have)
	}
	return nil
}

// obeys returns an error unless the disciple of p is live, and knows the policy as it is in the
// directory and what each node says. One that is not live, as after a denial, may know what it knew.
func (sim *simulation) obeys(p *program) error {
	if p.disciple == nil {
		return nil
	}
	if s := p.disciple.State(); s.Phase != sd.Live {
		return fmt.Errorf("state of the disciple in %s: want %s, have %v", p.slot.name, sd.Live, s)
	}
	data, _, err := sim.server.Get("/go_servers")
	if err != nil {
		return err
	}
	if have := p.disciple.Policy(); have.Err != nil || have.Document.String() != string(data) {
		return fmt.Errorf("policy known to %s: want %q, have %q, %v", p.slot.name, data,
			have.Document.String(), have.Err)
	}
	for _, e := range p.disciple.Entries() {
		data, _, err := sim.server.Get("/go_servers/" + e.Instance)
		if err != nil {
			return fmt.Errorf("%s knows of %s: %w", p.slot.name, e.Instance, err)
		}
		r, _ := record.Parse(data)
		if !r.Attributes.Equal(e.Attributes) {
			return fmt.Errorf("attributes of %s known to %s: want %v, have %v", e.Instance, p.slot.name,
				r.Attributes, e.Attributes)
		}
	}
	if err := p.disciple.wasSent(string(data), p.disciple.Entries()); err != nil {
		return fmt.Errorf("%s: %w", p.slot.name, err)
	}
	return nil
}
