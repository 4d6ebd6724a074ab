package sd

import (
	"strings"
	"sync"
	"time"

	"example.com/daytime/sd/internal/fanout"
	"example.com/daytime/sd/policy"
	"github.com/go-kit/log/level"
)

// FollowPolicy has an Instancer read the attributes of the instances and the policy of the
// directory, and evaluate them. By default neither is read, and every instance is like every other.
//
// The result comes with the instances in the [Change] of a follower, such as lb.Pool: no list is
// told before its policy is known. go-kit's subscribers are not sent instances that are drained,
// unless all are. Instances and Entries have them all. An error of a policy is in the log and in
// the State, whose phase is live all the same. A registry that has no policy, or no attributes, is
// followed without.
func FollowPolicy() InstancerOption {
	return func(i *Instancer) { i.steering = &steering{evaluator: fanout.NewEvaluator()} }
}

// A steering is the part of an Instancer that follows the policy. The loop uses it, a timer when a
// line of the policy expires, who calls Policy or Entries, and the loop of a union.
type steering struct {
	mu        sync.Mutex // held during an evaluation; taken before the Instancer's
	evaluator *fanout.Evaluator
	timer     *time.Timer // runs until a line expires; nil before the first one
	stopped   bool
}

// A PolicyState is the policy as an Instancer follows it.
type PolicyState struct {
	Document policy.Document // which is followed: the last that could be read
	Version  int64           // of the policy in the registry when it was last told
	Err      error           // why that one is not followed, and the one before is
	Unread   []string        // instances whose attributes could not be read, or not all; sorted
	Tally    policy.Tally    // of the instances
}

// Policy returns what is followed, the zero value without [FollowPolicy]. Of a union it has what
// the parts have in common, and neither Document nor Version: see [PartState].
func (i *Instancer) Policy() PolicyState {
	if i.joint != nil {
		return i.joint.policy(i.fanout.Tally())
	}
	if i.steering == nil {
		return PolicyState{}
	}
	i.steering.mu.Lock()
	defer i.steering.mu.Unlock()
	document, version, failure := i.steering.evaluator.Followed()
	return PolicyState{document, version, failure, i.steering.evaluator.Unread(), i.fanout.Tally()}
}

// Entries returns the set as Instances does, with the attributes of each. Without [FollowPolicy]
// none has any. In a union they are those of the first part that has the instance.
func (i *Instancer) Entries() []policy.Entry {
	if i.joint != nil {
		return i.joint.entries(i.Instances())
	}
	if i.steering == nil {
		return fanout.NewEvaluator().Entries(i.Instances())
	}
	i.steering.mu.Lock()
	defer i.steering.mu.Unlock()
	return i.steering.evaluator.Entries(i.Instances())
}

// evaluate is the part of apply that follows the policy. The caller holds the lock of steering.
func (i *Instancer) evaluate(c Change, s State) {
	now, change := time.Now(), c.toFanout()
	x := i.steering.evaluator.Add(change, i.fanout.Members, now)
	i.mu.Lock()
	i.fanout.Apply(change, &x)
	i.measurePolicy()
	if s.Phase == Live {
		s.Err = i.policyWarning(i.fanout.Tally())
	}
	i.moveTo(s)
	i.mu.Unlock()
	i.scheduleExpiry(now)
}

// expire evaluates all again when a line of the policy has expired.
func (i *Instancer) expire() {
	s := i.steering
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	now := time.Now()
	if expiry, ok := s.evaluator.Expiry(); !ok || now.Before(expiry) {
		i.scheduleExpiry(now)
		return
	}
	x := s.evaluator.Expire(i.fanout.Members, now)
	i.mu.Lock()
	i.fanout.Apply(fanout.Change{}, &x)
	i.measurePolicy()
	if i.state.Get().Phase == Live {
		i.state.Set(Live, i.policyWarning(i.fanout.Tally()))
	}
	i.mu.Unlock()
	i.scheduleExpiry(now)
}

// maxExpiryWait is how long the timer runs at most. A line expires by the wall clock, which may be
// set meanwhile, and goes on while the host sleeps, as a timer does not.
const maxExpiryWait = time.Minute

// scheduleExpiry has expire called when the next line expires, or before. The caller holds the lock
// of steering.
func (i *Instancer) scheduleExpiry(now time.Time) {
	s := i.steering
	expiry, ok := s.evaluator.Expiry()
	wait := min(expiry.Sub(now), maxExpiryWait)
	switch {
	case !ok && s.timer != nil:
		s.timer.Stop()
	case ok && s.timer == nil:
		s.timer = time.AfterFunc(wait, i.expire)
	case ok:
		s.timer.Reset(wait)
	}
}

// stop ends the timer, and waits for what it may have begun.
func (s *steering) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.timer != nil {
		s.timer.Stop()
	}
}

// policyWarning is what an operator should know of the policy, or nil. Whether that of a part leaves
// anybody to pick depends on the others, and is the union's to say. The caller holds the lock of
// steering.
func (i *Instancer) policyWarning(tally policy.Tally) error {
	if i.joined.Load() {
		tally = policy.Tally{}
	}
	_, has := i.backend.(PolicyStore)
	return i.steering.evaluator.Warning(has, tally)
}

// logPolicy writes the lines about a policy that has come, or has not, and reports whether it is
// another one than before.
func (i *Instancer) logPolicy(before policy.Document) (other bool) {
	document, version, failure := i.steering.evaluator.Followed()
	if failure != nil {
		if _, has := i.backend.(PolicyStore); has {
			level.Warn(i.logger).Log("msg", "policy not followed", "version", version, "err",
				failure)
		}
		return false
	}
	if document.String() == before.String() {
		return false
	}
	tally := i.fanout.Tally()
	level.Info(i.logger).Log("msg", "policy", "version", version,
		"by", strings.Join(policy.ChangedBy(before, document), ","),
		"instances", tally.Instances, "drained", tally.Drained)
	problems := i.steering.evaluator.Problems()
	for n, problem := range problems {
		if n == maxLoggedProblems {
			level.Warn(i.logger).Log("msg", "more lines of the policy left out",
				"lines", len(problems)-n)
			break
		}
		level.Warn(i.logger).Log("msg", "line of the policy left out", "err", problem)
	}
	return true
}

// maxLoggedProblems is how many wrong lines of one policy are logged.
const maxLoggedProblems = 3
