package fanout

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"example.com/daytime/sd/internal/instruments"
	"example.com/daytime/sd/policy"
)

// An Evaluator computes the effective values of the instances from attributes and policy. It has no
// lock and no clock.
type Evaluator struct {
	attributes map[string]policy.Attributes // of members that say anything
	unread     map[string]struct{}          // members whose attributes could not be read
	document   policy.Document              // the last that was readable
	version    int64                        // of the policy that was told last
	failure    error                        // why that is not the document
	compiled   *policy.Policy               // the document as it holds until its expiry
	problems   []*policy.Problem            // the lines that are left out
	lost       Memory[policy.Attributes]    // whom another policy is about as well
}

// errPolicyUnread is why a policy is not followed when it is not that it is unreadable.
var errPolicyUnread = errors.New("it could not be read")

// NewEvaluator returns an Evaluator without a policy.
func NewEvaluator() *Evaluator {
	return &Evaluator{attributes: map[string]policy.Attributes{}, unread: map[string]struct{}{}}
}

// An Evaluation is the result of an Evaluator for a Change.
type Evaluation struct {
	names  []string // that were evaluated; others are as they were
	values map[string]policy.Effective
	sides  []policy.Side               // nil: nothing is split
	lost   map[string]policy.Effective // of those who were lost, under another policy than before
}

// NewEvaluation returns an Evaluation of the instances that values names, and of those that were
// lost. Sides are nil if nothing is split.
func NewEvaluation(
	values map[string]policy.Effective, sides []policy.Side, lost map[string]policy.Effective,
) Evaluation {
	return Evaluation{slices.Collect(maps.Keys(values)), values, sides, lost}
}

// BareName is the effective value of an instance without attributes, without a policy. Maps of
// effective values leave it out.
var BareName = (*policy.Policy)(nil).Effective(policy.Entry{})

// Add takes a Change in and evaluates those it concerns. Members are those before it.
func (e *Evaluator) Add(c Change, members func() []string, now time.Time) Evaluation {
	e.remember(c, members, now)
	if c.Reset {
		e.attributes, e.unread = map[string]policy.Attributes{}, map[string]struct{}{}
	}
	for _, name := range c.Down {
		delete(e.attributes, name)
		delete(e.unread, name)
	}
	for name, a := range c.Attributes {
		e.setAttributes(name, a)
	}
	for _, name := range c.Unread {
		e.unread[name] = struct{}{}
	}
	switch {
	case c.Policy != nil:
		another := e.setPolicy(*c.Policy, now)
		x := e.evaluateAll(c, members)
		if another {
			x.lost = e.evaluateLost()
		}
		return x
	case c.Lacking:
		e.failure = errPolicyUnread
	}
	if c.Reset {
		return e.evaluateAll(c, members)
	}
	return e.evaluate(slices.AppendSeq(slices.Clone(c.Up), maps.Keys(c.Attributes)))
}

// remember notes who is lost with c, before what they say is forgotten, and who comes.
func (e *Evaluator) remember(c Change, members func() []string, now time.Time) {
	left, withdrew := c.Down, c.withdrew()
	if c.Reset {
		left = except(members(), c.Up)
	}
	for _, name := range left {
		if !has(withdrew, name) {
			e.lost.Add(name, e.attributes[name], now)
		}
	}
	for _, name := range c.Up {
		e.lost.Remove(name)
	}
}

// setAttributes notes what an instance says of itself, as far as that is allowed.
func (e *Evaluator) setAttributes(name string, a policy.Attributes) {
	a, err := a.Valid()
	delete(e.unread, name)
	if err != nil {
		e.unread[name] = struct{}{}
	}
	if delete(e.attributes, name); !a.Equal(policy.Attributes{}) {
		e.attributes[name] = a
	}
}

// setPolicy notes the policy, and reports whether another one is in force. Of one that is
// unreadable the last one stays.
func (e *Evaluator) setPolicy(text PolicyText, now time.Time) (another bool) {
	e.version = text.Version
	document, err := policy.Parse(text.Document)
	if e.failure = err; err == nil {
		another = document.String() != e.document.String()
		e.document = document
	}
	expiry, expires := e.Expiry()
	e.compile(now)
	return another || expires && !now.Before(expiry)
}

// compile makes the document ready for look-ups, until its expiry.
func (e *Evaluator) compile(now time.Time) {
	e.compiled, e.problems = e.document.Compile(now), e.document.Problems(now)
}

// Expiry is when a line of the policy expires next.
func (e *Evaluator) Expiry() (time.Time, bool) { return e.compiled.NextExpiry() }

// Expire evaluates all again, when a line of the policy has expired.
func (e *Evaluator) Expire(members func() []string, now time.Time) Evaluation {
	e.compile(now)
	x := e.evaluateAll(Change{}, members)
	x.lost = e.evaluateLost()
	return x
}

// evaluateLost evaluates those that were lost.
func (e *Evaluator) evaluateLost() map[string]policy.Effective {
	values := map[string]policy.Effective{}
	for name, a := range e.lost.All {
		values[name] = e.compiled.Effective(policy.Entry{Instance: name, Attributes: a})
	}
	return values
}

// evaluateAll evaluates the members as they are after c.
func (e *Evaluator) evaluateAll(c Change, members func() []string) Evaluation {
	if c.Reset {
		return e.evaluate(c.Up)
	}
	return e.evaluate(append(except(members(), c.Down), c.Up...))
}

// except returns all without some.
func except(all, some []string) []string {
	if len(all) == 0 {
		return nil
	}
	left := setOf(some)
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return has(left, name) })
}

func (e *Evaluator) evaluate(names []string) Evaluation {
	x := Evaluation{names: names, values: map[string]policy.Effective{}}
	if sides := e.compiled.Sides(); len(sides) > 1 {
		x.sides = sides
	}
	if e.document.IsEmpty() && len(e.attributes) == 0 {
		return x
	}
	for _, name := range names {
		v := e.compiled.Effective(policy.Entry{Instance: name, Attributes: e.attributes[name]})
		if v != BareName {
			x.values[name] = v
		}
	}
	return x
}

// Measures are what the instruments show of the policy.
func (e *Evaluator) Measures(hasPolicy bool, tally policy.Tally) instruments.Policy {
	return instruments.Policy{
		Version:    e.version,
		Drains:     tally.DrainsSuspended(),
		Weights:    tally.WeightsSuspended(),
		WrongLines: len(e.problems),
		Unreadable: e.isUnreadable(hasPolicy),
		Unread:     len(e.unread),
	}
}

// isUnreadable reports whether there is a policy that is not followed.
func (e *Evaluator) isUnreadable(hasPolicy bool) bool {
	return e.failure != nil && (hasPolicy || e.failure != errPolicyUnread)
}

// Warning is the error in the policy that an operator should know of, or nil. That a backend has no
// policy is none.
func (e *Evaluator) Warning(hasPolicy bool, tally policy.Tally) error {
	var all []error
	if e.isUnreadable(hasPolicy) {
		all = append(all, fmt.Errorf("policy version %d is not followed, but the last that could be "+
			"read: %w", e.version, e.failure))
	}
	if wrong := e.problems; len(wrong) > 0 {
		all = append(all, fmt.Errorf("policy has %s: %w", count(len(wrong), "wrong line"), wrong[0]))
	}
	all = append(all, Suspended(tally)...)
	if n := len(e.unread); n > 0 {
		all = append(all, fmt.Errorf("attributes of %s could not be read", count(n, "instance")))
	}
	return InOneLine(all)
}

// count is n with its noun.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// Suspended are the errors of a set whose policy leaves nobody to pick, so that it is not obeyed.
func Suspended(tally policy.Tally) (all []error) {
	if tally.DrainsSuspended() {
		all = append(all, errors.New("every instance is drained, so drained ones are picked"))
	}
	if tally.WeightsSuspended() {
		all = append(all, errors.New("every weight is 0, so weights are ignored"))
	}
	return all
}

// Unread returns the instances whose attributes could not be read, or not all, sorted.
func (e *Evaluator) Unread() []string { return slices.Sorted(maps.Keys(e.unread)) }

// Entries returns names with what each says of itself.
func (e *Evaluator) Entries(names []string) (entries []policy.Entry) {
	for _, name := range names {
		entries = append(entries, policy.Entry{Instance: name, Attributes: e.attributes[name]})
	}
	return entries
}

// Followed returns the policy that is followed, the version of the one that was told last, and why
// that one is not followed.
func (e *Evaluator) Followed() (d policy.Document, version int64, failure error) {
	return e.document, e.version, e.failure
}

// Problems returns the lines of the policy that are left out.
func (e *Evaluator) Problems() []*policy.Problem { return e.problems }

// InOneLine is errors.Join with semicolons.
func InOneLine(all []error) error {
	if len(all) < 2 {
		return errors.Join(all...)
	}
	return joined(all)
}

type joined []error

func (j joined) Unwrap() []error { return j }

func (j joined) Error() string {
	var texts []string
	for _, err := range j {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}
