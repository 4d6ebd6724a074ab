package sdtest_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	"example.com/daytime/sd/policy"
)

// A watching is the Watch of a wrong backend.
type watching = func(*wrong, context.Context, sd.Want, func(sd.Change)) error

// changing is a Watch whose changes are made wrong.
func changing(spoil func(sd.Change) []sd.Change) watching {
	return func(w *wrong, ctx context.Context, want sd.Want, emit func(sd.Change)) error {
		return w.Backend.Watch(ctx, want, func(c sd.Change) {
			for _, c := range spoil(c) {
				emit(c)
			}
		})
	}
}

// asksForAll reads what nobody wants.
func asksForAll(w *wrong, ctx context.Context, _ sd.Want, emit func(sd.Change)) error {
	return w.Backend.Watch(ctx, sd.Want{Attributes: true, Policy: true}, emit)
}

// attributesLater tells the names first.
func attributesLater(c sd.Change) []sd.Change {
	if len(c.Attributes) == 0 {
		return []sd.Change{c}
	}
	later := sd.Change{Attributes: c.Attributes}
	c.Attributes = nil
	return []sd.Change{c, later}
}

// attributesOfNewNames misses that attributes change.
func attributesOfNewNames(c sd.Change) []sd.Change {
	if len(c.Up) == 0 {
		c.Attributes = nil
	}
	return []sd.Change{c}
}

// aGapForAttributes has an instance leave and come back with others.
func aGapForAttributes(c sd.Change) []sd.Change {
	var gap sd.Change
	if len(c.Up) == 0 {
		for name := range c.Attributes {
			gap.Down, c.Up = append(gap.Down, name), append(c.Up, name)
		}
	}
	if len(gap.Down) == 0 {
		return []sd.Change{c}
	}
	return []sd.Change{gap, c}
}

// attributesOfStrangers tells of names that are not in the set.
func attributesOfStrangers(c sd.Change) []sd.Change {
	c.Attributes = map[string]policy.Attributes{"192.0.2.99:1": {Zone: "nowhere"}}
	return []sd.Change{c}
}

// reusesText tells every policy in the same place.
func reusesText() watching {
	var text sd.PolicyText
	return changing(func(c sd.Change) []sd.Change {
		if c.Policy != nil {
			text = *c.Policy
			c.Policy = &text
		}
		return []sd.Change{c}
	})
}

// reusesTags tells the tags of all in one map.
func reusesTags() watching {
	tags := map[string]string{}
	return changing(func(c sd.Change) []sd.Change {
		said := map[string]policy.Attributes{}
		for name, a := range c.Attributes {
			clear(tags)
			maps.Copy(tags, a.Tags)
			a.Tags = tags
			said[name] = a
		}
		c.Attributes = said
		return []sd.Change{c}
	})
}

// policyLater tells the set before the policy.
func policyLater(c sd.Change) []sd.Change {
	if !c.Reset {
		return []sd.Change{c}
	}
	later := sd.Change{Policy: c.Policy}
	c.Policy = nil
	return []sd.Change{c, later}
}

// policyForEver takes an empty document for one that could not be read.
func policyForEver(c sd.Change) []sd.Change {
	if c.Policy != nil && !c.Reset && c.Policy.Document == "" {
		c.Policy = nil
	}
	return []sd.Change{c}
}

// evaluates does what is for the Instancer to do.
func evaluates(c sd.Change) []sd.Change {
	c.Effective = map[string]policy.Effective{}
	return []sd.Change{c}
}

// ignoresPolicy announces whatever the policy says.
func ignoresPolicy(w *wrong, ctx context.Context, e sd.Entry, told func(sd.Status)) error {
	b := mem.NewRegistry().Open() // without a policy
	w.registry.Put(e.Instance)
	defer w.registry.Expire(e.Instance)
	return b.Announce(ctx, e, told)
}

// readsPolicyLate publishes first.
func readsPolicyLate(w *wrong, ctx context.Context, e sd.Entry, told func(sd.Status)) error {
	w.registry.Put(e.Instance)
	time.Sleep(time.Millisecond)
	w.registry.Expire(e.Instance)
	return w.Backend.Announce(ctx, e, told)
}

// givesUpWhenWithheld takes the line of an operator for a loss.
func givesUpWhenWithheld(w *wrong, ctx context.Context, e sd.Entry, told func(sd.Status)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := w.Backend.Announce(ctx, e, func(s sd.Status) {
		told(s)
		if s.Phase == sd.Withheld {
			cancel(errors.New("withheld"))
		}
	})
	return errors.Join(err, context.Cause(ctx))
}

// readsPolicyOnce forgets it over a failure.
func readsPolicyOnce(w *wrong, ctx context.Context, e sd.Entry, told func(sd.Status)) error {
	err := w.Backend.Announce(ctx, e, told)
	if ctx.Err() == nil && err != nil {
		for ctx.Err() == nil && !errors.Is(w.Backend.Announce(canceled(ctx), e, told),
			context.Canceled) {
			time.Sleep(time.Millisecond)
		}
		return ignoresPolicy(w, ctx, e, told)
	}
	return err
}

// canceled returns a context that is done.
func canceled(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

// deafToChanges publishes the attributes of the start.
func deafToChanges(w *wrong, ctx context.Context, e sd.Entry, told func(sd.Status)) error {
	e.Changes = nil
	return w.Backend.Announce(ctx, e, told)
}

// believesAClosedChannel takes the end of the changes for one.
func believesAClosedChannel(
	w *wrong, ctx context.Context, e sd.Entry, told func(sd.Status),
) error {
	changes := make(chan policy.Attributes)
	go func(from <-chan policy.Attributes) {
		for {
			a, open := <-from
			select {
			case changes <- a:
			case <-ctx.Done():
				return
			}
			if !open {
				return
			}
		}
	}(e.Changes)
	e.Changes = changes
	return w.Backend.Announce(ctx, e, told)
}

// conflictsBeforeThePolicy looks at the entry first.
func conflictsBeforeThePolicy(
	w *wrong, ctx context.Context, e sd.Entry, told func(sd.Status),
) error {
	if ctx.Err() == nil && slices.Contains(w.registry.Instances(), e.Instance) {
		return sd.ErrConflict
	}
	return w.Backend.Announce(ctx, e, told)
}

// overwrites is a store whose writers do not see each other.
type overwrites struct{ *wrong }

func (o overwrites) WritePolicy(_ context.Context, document string, _ int64) error {
	o.registry.SetPolicy(document)
	return nil
}

// withoutStore is a backend that serves a policy and has no store.
type withoutStore struct{ sd.Backend }

// wrappedHarness opens what wrap makes of a wrong backend.
type wrappedHarness struct {
	*wrongHarness
	wrap func(*wrong) sd.Backend
}

func (h wrappedHarness) Open() (sd.Backend, error) {
	b, err := h.wrongHarness.Open()
	return h.wrap(b.(*wrong)), err
}

// The suite finds every backend that is wrong about attributes or the policy.
func TestWrongPoliciesFail(t *testing.T) {
	itself := func(w *wrong) sd.Backend { return w }
	for name, test := range map[string]struct {
		model  wrong
		wrap   func(*wrong) sd.Backend
		failed string
	}{
		"reads what nobody wants": {wrong{watch: asksForAll}, itself, "UnaskedIsNotTold"},
		"attributes later": {wrong{watch: changing(attributesLater)}, itself,
			"AttributesComeWithTheirNames"},
		"attributes of new names": {wrong{watch: changing(attributesOfNewNames)}, itself,
			"AttributesChangeWithoutAGap"},
		"a gap for attributes": {wrong{watch: changing(aGapForAttributes)}, itself,
			"AttributesChangeWithoutAGap"},
		"deaf to changes": {wrong{announce: deafToChanges}, itself,
			"AttributesChangeWithoutAGap"},
		"believes a closed channel": {wrong{announce: believesAClosedChannel}, itself,
			"AttributesChangeWithoutAGap"},
		"attributes of strangers": {wrong{watch: changing(attributesOfStrangers)}, itself,
			"FirstEmitIsWholeSet"},
		"text used again": {wrong{watch: reusesText()}, itself, "PolicyChanges"},
		"tags used again": {wrong{watch: reusesTags()}, itself,
			"AttributesChangeWithoutAGap"},
		"policy later": {wrong{watch: changing(policyLater)}, itself,
			"PolicyComesWithTheSet"},
		"policy later, and not said": {wrong{watch: changing(policyLater)}, itself,
			"LackingIsSaid"},
		"a policy has no end": {wrong{watch: changing(policyForEver)}, itself,
			"PolicyChanges"},
		"evaluates": {wrong{watch: changing(evaluates)}, itself,
			"FirstEmitIsWholeSet"},
		"overwrites": {wrong{}, func(w *wrong) sd.Backend { return overwrites{w} },
			"PolicyIsComparedAndSet"},
		"no store": {wrong{},
			func(w *wrong) sd.Backend { return withoutStore{w} }, "LackingIsSaid"},
		"ignores the policy": {wrong{announce: ignoresPolicy}, itself,
			"WithheldNeverAppears"},
		"reads the policy late": {wrong{announce: readsPolicyLate}, itself,
			"WithheldNeverAppears"},
		"gives up when withheld": {wrong{announce: givesUpWhenWithheld}, itself,
			"WithheldWithdraws"},
		"conflicts before the policy": {wrong{announce: conflictsBeforeThePolicy}, itself,
			"WithheldIsNoConflict"},
		"reads the policy once": {wrong{announce: readsPolicyOnce}, itself,
			"WithheldIsReadFirst"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &wrongHarness{registry: mem.NewRegistry(), model: test.model}
				err := check(t, test.failed, wrappedHarness{h, test.wrap})
				if err == nil {
					t.Fatalf("%s: want a failure, have none", test.failed)
				}
				t.Log(err)
			})
		})
	}
}
