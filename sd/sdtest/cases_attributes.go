package sdtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// What a Watch is asked for beside the names.
func attributeCases() []Case {
	attributes := Lacks{Announce: true, Attributes: true}
	return []Case{
		{
			Name: "LackingIsSaid",
			Rule: "a Want that cannot be served is no error, and the first Reset says what is lacking",
			run:  lackingIsSaid,
		},
		{
			Name:  "AttributesComeWithTheirNames",
			Rule:  "attributes come in the Change that their names come in",
			Needs: attributes,
			run:   attributesComeWithNames,
		},
		{
			Name:  "AttributesChangeWithoutAGap",
			Rule:  "attributes change while the instance stays",
			Needs: attributes,
			run:   attributesChange,
		},
		{
			Name:  "UnaskedIsNotTold",
			Rule:  "who asks for names alone is told of names alone, and that there is a policy",
			Needs: Lacks{Announce: true, Attributes: true, Policy: true},
			run:   unaskedIsNotTold,
		},
	}
}

// The wishes of the cases.
var everything = sd.Want{Attributes: true, Policy: true}

func lackingIsSaid(ctx context.Context, h Harness) error {
	return with(h, func(b sd.Backend) error {
		if err := h.Put(alice); err != nil {
			return err
		}
		var lacks Lacks
		if limited, ok := h.(Limited); ok {
			lacks = limited.Lacks()
		}
		w, r := watchWanting(ctx, b, everything)
		if err := errors.Join(r.shows(h, alice), w.stop(h)); err != nil {
			return err
		}
		want, have := sd.Want{Attributes: lacks.Attributes, Policy: lacks.Policy}, r.first().Lacking
		if want != have {
			return fmt.Errorf("lacking: want %+v, have %+v", want, have)
		}
		if _, err := sd.PolicyOf(b); errors.Is(err, sd.ErrNoPolicy) != lacks.Policy {
			return fmt.Errorf("policy store: want it lacking %v, have %v", lacks.Policy, err)
		}
		if lacks.Announce {
			err := b.Announce(ctx, sd.Entry{Instance: alice}, func(sd.Status) {})
			if !errors.Is(err, sd.ErrNoAnnounce) {
				return fmt.Errorf("announce: want %v, have %v", sd.ErrNoAnnounce, err)
			}
		}
		return nil
	})
}

// of returns attributes with a weight, a zone and a tag.
func of(weight int, zone, version string) policy.Attributes {
	return policy.Attributes{Weight: &weight, Zone: zone,
		Tags: map[string]string{"version": version}}
}

func attributesComeWithNames(ctx context.Context, h Harness) error {
	return withTwo(h, func(watched, announcing sd.Backend) error {
		if err := h.Put(bob); err != nil { // says nothing of itself
			return err
		}
		first := sd.Entry{Instance: alice, Attributes: of(50, "eu-1a", "2.1")}
		first.Attributes.Since = time.Unix(1, 0) // which is the registry's to say
		a1, err := announceEntry(ctx, h, announcing, first)
		if err != nil {
			return err
		}
		w, r := watchWanting(ctx, watched, everything)
		err = errors.Join(r.shows(h, alice, bob), r.showsAttributes(h, first),
			r.showsAttributes(h, sd.Entry{Instance: bob}))
		if err != nil {
			return err
		}
		if since := r.saysOf(alice).Since; since.IsZero() || since.Equal(first.Attributes.Since) {
			return fmt.Errorf("since when: want the time of the registration, have %v", since)
		}
		second := sd.Entry{Instance: carol, Attributes: of(0, "eu-1b", "3")}
		a2, err := announceEntry(ctx, h, watched, second)
		return errors.Join(err, r.shows(h, alice, bob, carol), r.showsAttributes(h, second),
			r.cameWithAttributes(alice), r.cameWithAttributes(carol),
			a1.stop(h), a2.stop(h), r.shows(h, bob), w.stop(h))
	})
}

func attributesChange(ctx context.Context, h Harness) error {
	return withTwo(h, func(watched, announcing sd.Backend) error {
		w, r := watchWanting(ctx, watched, everything)
		if err := r.shows(h); err != nil {
			return err
		}
		changes := make(chan policy.Attributes, 1)
		entry := sd.Entry{Instance: alice, Attributes: of(50, "eu-1a", "2.1"), Changes: changes}
		a, err := announceEntry(ctx, h, announcing, entry)
		if err := errors.Join(err, r.shows(h, alice), r.showsAttributes(h, entry)); err != nil {
			return err
		}
		for _, next := range []policy.Attributes{of(70, "eu-1a", "2.2"), {},
			of(50, "eu-1a", "2.1")} {
			entry.Attributes = next
			changes <- next
			if err := r.showsAttributes(h, entry); err != nil {
				return err
			}
		}
		close(changes)
		pause(50 * time.Millisecond)
		h.Settle()
		if err := r.showsAttributes(h, entry); err != nil {
			return fmt.Errorf("after the last change: %w", err)
		}
		if withdrew, lost := r.Left(); len(withdrew)+len(lost) > 0 || r.downs() > 0 {
			return fmt.Errorf("gap: want none, have %d departures", r.downs())
		}
		return errors.Join(a.stop(h), r.shows(h), w.stop(h))
	})
}

func unaskedIsNotTold(ctx context.Context, h Harness) error {
	return withTwo(h, func(watched, announcing sd.Backend) error {
		a, err := announceEntry(ctx, h, announcing,
			sd.Entry{Instance: alice, Attributes: of(50, "", "2")})
		if err != nil {
			return err
		}
		if err := write(ctx, announcing, drainAlice); err != nil {
			return err
		}
		w, r := watch(ctx, watched)
		err = errors.Join(r.shows(h, alice), write(ctx, announcing, drainBob), h.Put(bob),
			r.shows(h, alice, bob))
		if err != nil {
			return err
		}
		for _, c := range r.changes() {
			if len(c.Attributes)+len(c.Unread) > 0 || c.Policy != nil || c.Lacking != (sd.Want{}) {
				return fmt.Errorf("unasked: want names alone, have %+v", c)
			}
		}
		if !r.first().Ignored {
			return errors.New("first Reset: want it said that there is a policy, have nothing")
		}
		return errors.Join(a.stop(h), w.stop(h))
	})
}

// The documents of the cases.
const (
	drainAlice    = policy.Header + "\ndrain " + alice + " by=ops\n"
	drainBob      = policy.Header + "\ndrain " + bob + "\n"
	withholdAlice = policy.Header + "\ndrain " + bob + "\nwithdraw " + alice + " by=ops\n"
	unreadable    = "no policy\n"
)
