// Package steer changes the policy of a directory as an operator does: it reads the document, has
// an edit make another one, says what that means for the fleet, and writes it by compare-and-set.
// Two operators at once lose nothing: whoever comes second edits what the first one wrote.
//
//	outcome, err := steer.Desk{Store: store, Fleet: instancer.Entries}.Do(ctx,
//		func(before policy.Document, _ int64, now time.Time) (policy.Document, error) {
//			return before.Set(rule, now)
//		})
//	fmt.Print(outcome)
//
// A run goes through these states, with "-" for its end:
//
//	state   read                written  outdated     denied  error of a write
//	sure    edit, then write    -        sure         -       unsure
//	unsure  as written: -       -        unsure       -       unsure
//	        else as sure
//
// Unsure means that the registry may have taken a write of which no answer came. A policy that the
// edit would leave as it is ends the run, as a success if it was unsure.
package steer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/policy/impact"
)

const (
	// runTimeout bounds a run: how long others may be faster, or an answer to a write may be
	// missing.
	runTimeout = 10 * time.Second

	// maxPause is the longest wait before the policy is read again after a write that was lost.
	maxPause = 50 * time.Millisecond
)

var (
	// ErrRefused: fewer than half of the weight would be left, and fewer than before.
	ErrRefused = errors.New("refused")
	// ErrLost: somebody else was faster each time, for 10 s.
	ErrLost = errors.New("others wrote the policy in between each time")
	// ErrUnsure: a write was not answered, so that it may stand or not.
	ErrUnsure = errors.New("it is not known whether the policy was written")
)

// An Edit returns the document that is to follow before, which has that version in the registry. It
// is called again when somebody else wrote meanwhile, and must come to the same with what it has
// done already. Its errors end the run.
type Edit func(before policy.Document, version int64, now time.Time) (policy.Document, error)

// A Desk is where an operator works.
type Desk struct {
	Store  sd.PolicyStore
	Fleet  func() []policy.Entry // who is registered now
	DryRun bool                  // nothing is written, nor refused for what it would leave
	Force  bool                  // whatever it leaves, and also over what is no policy

	// Timeout bounds each request. The default is that of the run, 10 s.
	Timeout time.Duration
}

// An Outcome is what a run has done, or would do.
type Outcome struct {
	Before, After policy.Document
	Version       int64          // of Before
	Fleet         []policy.Entry // that Impact is about, with those that a line withdraws by name
	Impact        impact.Report
	Uncounted     []policy.Rule // of Before: they withdraw servers that Fleet may lack
	Dropped       []policy.Rule // of the edit, not of Before: they expired a day ago or longer
	Written       bool
}

// Changed reports whether After is another document than Before.
func (o Outcome) Changed() bool { return o.Before.String() != o.After.String() }

// String is the difference, a line each, what it means for the fleet, and which lines may hide
// servers from that; nothing if there is no difference.
func (o Outcome) String() string {
	if !o.Changed() {
		return ""
	}
	text := policy.Diff(o.Before, o.After) + o.Impact.String()
	if uncounted := Uncounted(o.Uncounted); uncounted != "" {
		text += uncounted + "\n"
	}
	return text
}

// Do carries an edit out. It waits for the registry, 10 s at most. With an error the Outcome is
// that of the last attempt, if it came so far as to have one. Errors match those of this package,
// [policy.ErrUnreadable] for what is in the registry, those of the store, and those of the edit.
func (d Desk) Do(ctx context.Context, edit Edit) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	r := &run{Desk: d, edit: edit}
	for {
		if done, err := r.attempt(ctx); done {
			return r.outcome, err
		}
		if !shell.Sleep(ctx, rand.N(maxPause)) {
			return r.outcome, r.giveUp()
		}
	}
}

// A run is a Do under way.
type run struct {
	Desk
	edit    Edit
	outcome Outcome
	unsure  *Outcome // of the last write without an answer; nil: there is none
	last    error    // of the last attempt
}

// attempt reads, edits and writes once. Unless done, there is to be another one.
func (r *run) attempt(ctx context.Context) (done bool, err error) {
	text, version, err := r.read(ctx)
	switch {
	case err != nil && r.unsure == nil:
		return true, err
	case err != nil:
		r.last = err
		return false, nil
	case r.unsure != nil && text == r.unsure.After.String():
		r.confirm()
		return true, nil
	}
	if r.outcome, err = r.plan(text, version); err != nil {
		return true, err
	}
	if !r.outcome.Changed() {
		if r.unsure != nil { // somebody wrote after it, and left it as it is
			r.confirm()
		}
		return true, nil
	}
	if r.DryRun {
		return true, nil
	}
	return r.write(ctx)
}

// confirm takes over the outcome of the write without an answer.
func (r *run) confirm() {
	r.outcome = *r.unsure
	r.outcome.Written = true
}

// write writes the planned document.
func (r *run) write(ctx context.Context) (done bool, err error) {
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	err = r.Store.WritePolicy(ctx, r.outcome.After.String(), r.outcome.Version)
	switch {
	case err == nil:
		r.outcome.Written = true
		return true, nil
	case errors.Is(err, sd.ErrDenied):
		return true, err
	case !errors.Is(err, sd.ErrOutdated):
		unsure := r.outcome
		r.unsure = &unsure
	}
	r.last = err
	return false, nil
}

func (r *run) read(ctx context.Context) (text string, version int64, err error) {
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	return r.Store.ReadPolicy(ctx)
}

func (r *run) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.Timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, r.Timeout)
}

// giveUp is the error of a run whose time is over.
func (r *run) giveUp() error {
	if r.unsure != nil {
		return fmt.Errorf("%w: %w", ErrUnsure, r.last)
	}
	return fmt.Errorf("%w: %w", ErrLost, r.last)
}

// plan is what follows the text that is in the registry. Lines that expired a day ago go with every
// write.
func (r *run) plan(text string, version int64) (Outcome, error) {
	now := time.Now()
	before, unreadable := policy.Parse(text)
	if unreadable != nil && !r.Force {
		return Outcome{}, fmt.Errorf("what stands in the place of the policy is none, and only "+
			"--force replaces it: %w", unreadable)
	}
	after, err := r.edit(before, version, now)
	if err != nil {
		return Outcome{}, err
	}
	var dropped []policy.Rule
	if after.String() != before.String() {
		after, dropped = after.Prune(now)
	}
	o := Outcome{Before: before, After: after, Version: version, Fleet: whole(r.Fleet(), before,
		now), Uncounted: uncounted(before, now), Dropped: newIn(dropped, before)}
	o.Impact = impact.Compare(before.Compile(now), after.Compile(now), o.Fleet)
	if o.Impact.Refused && !r.Force && !r.DryRun {
		return o, fmt.Errorf("%w: this leaves %.1f%% of the weight; want half of it, or --force",
			ErrRefused, 100*o.Impact.Left)
	}
	return o, nil
}

// newIn are those of some rules that a document has not.
func newIn(rules []policy.Rule, d policy.Document) []policy.Rule {
	old := map[string]bool{}
	for _, r := range d.Rules() {
		old[r.String()] = true
	}
	return slices.DeleteFunc(rules, func(r policy.Rule) bool { return old[r.String()] })
}

// whole is a fleet with the instances that a line of the policy withdraws by name. They have left
// the registry, and are a part of what is to be half left all the same: otherwise one after the
// other could be withdrawn. What they say of themselves is not known.
func whole(listed []policy.Entry, d policy.Document, now time.Time) []policy.Entry {
	var missing []policy.Entry
	for _, r := range Withdrawals(d, now) {
		name := r.Selector.String()
		if sd.CheckInstance(name) != nil {
			continue
		}
		isIt := func(e policy.Entry) bool { return e.Instance == name }
		if !slices.ContainsFunc(listed, isIt) && !slices.ContainsFunc(missing, isIt) {
			missing = append(missing, policy.Entry{Instance: name})
		}
	}
	return append(slices.Clip(listed), missing...)
}
