package etcd

import (
	"context"
	"errors"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/internal/cluster"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

var (
	// errSteered is of an attempt whose entry is to be treated in another way now.
	errSteered = errors.New("the policy has changed")
	// errSighted is of one that does not watch the policy, which may be read by now.
	errSighted = errors.New("the policy may be read again")
)

// A steering is what an announcement goes by over one connection. The stream is not believed: what
// it should have told is read now and then.
type steering struct {
	conn     *cluster.Conn
	stream   *cluster.Stream  // of the policy and the entry
	audit    <-chan time.Time // when to read
	policy   string           // as it was at revision
	revision int64
	blind    bool // it was not for us to read, and an earlier one stands
}

// steer does what the policy says, over one connection. The policy is read before the entry is
// written, and watched from there on.
func (a *announcement) steer(ctx context.Context, n *cluster.Conn) error {
	found, err := a.look(ctx, n)
	if err != nil {
		return err
	}
	if a.status.Phase == sd.Registered {
		if err := a.owned(found.entry); err != nil {
			return err
		}
	}
	stream, err := n.Watch(ctx, found.revision, found.spans(a.registration)...)
	if err != nil {
		return err
	}
	defer stream.Close()
	audit := time.NewTicker(a.backend.auditPeriod())
	defer audit.Stop()
	if !found.blind {
		_ = a.gate.SetPolicy(found.policy) // of one that is unreadable the last one stays
	}
	return a.obey(ctx, &steering{conn: n, stream: stream, audit: audit.C, policy: found.policy,
		revision: found.revision, blind: found.blind})
}

// obey publishes the entry, or withholds it, and changes over when it is told to.
func (a *announcement) obey(ctx context.Context, s *steering) error {
	for {
		again, why := a.withheld()
		timer := newTimerAt(again)
		var err error
		if why != nil {
			err = a.withhold(ctx, s, timer.C, why)
		} else {
			err = a.publishAndKeep(ctx, s, timer.C)
		}
		timer.Stop()
		if !errors.Is(err, errSteered) {
			return err
		}
	}
}

// withheld asks the policy, if it is followed.
func (a *announcement) withheld() (again time.Time, why error) {
	if a.backend.config.noPolicy {
		return time.Time{}, nil
	}
	return a.gate.Withheld(a.entry, time.Now())
}

// newTimerAt fires at t, or never if that is zero.
func newTimerAt(t time.Time) *time.Timer {
	if t.IsZero() {
		timer := time.NewTimer(time.Hour)
		timer.Stop()
		return timer
	}
	return time.NewTimer(time.Until(t))
}

// withhold takes the entry away, if there is one, also a predecessor's, and waits until the policy
// may say something else.
func (a *announcement) withhold(
	ctx context.Context, s *steering, again <-chan time.Time, why error,
) error {
	if err := a.erase(ctx, s.conn); err != nil {
		return err
	}
	a.tell(ctx, sd.Withheld, why)
	ask := time.NewTicker(a.backend.config.Patience())
	defer ask.Stop()
	silent := 0 // signs of life that have not come
	for {
		select {
		case response, open := <-s.stream.Responses:
			silent = 0
			if !open {
				return s.stream.Err(ctx)
			}
			if err := cluster.Check(response); err != nil {
				return err
			}
			if a.readPolicy(s, response.Events) {
				return errSteered
			}
		case <-ask.C:
			if silent++; silent > 2 {
				return s.conn.Silent()
			}
			if err := s.stream.Ask(ctx); err != nil {
				return err
			}
		case <-s.audit:
			if err := a.audit(ctx, s); err != nil {
				return err
			}
			silent = 0 // no answer was taken meanwhile
		case next, open := <-a.changes:
			if a.takeAttributes(next, open) {
				return errSteered
			}
		case <-again:
			return errSteered
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// readPolicy takes the policy from events, and reports whether it is another one.
func (a *announcement) readPolicy(s *steering, events []*mvccpb.Event) (news bool) {
	for _, e := range events {
		if string(e.Kv.Key) == a.backend.config.Key { // of one that was deleted the value is empty
			news = a.takePolicy(s, string(e.Kv.Value), e.Kv.ModRevision) || news
		}
	}
	return news
}

// takePolicy takes the policy as it was at a revision, and reports whether it is another one. What
// an audit has overtaken is none.
func (a *announcement) takePolicy(s *steering, document string, revision int64) (news bool) {
	if revision <= s.revision {
		return false
	}
	news = document != s.policy
	s.policy, s.revision = document, revision
	if news {
		_ = a.gate.SetPolicy(document) // the last one stays
	}
	return news
}

// audit reads what the stream should have told, and makes the directory if it is missing. Whoever
// calls reads no stream meanwhile, and so it takes no longer than a sign of life may.
func (a *announcement) audit(ctx context.Context, s *steering) error {
	prompt, cancel := context.WithTimeout(ctx, a.backend.config.Patience())
	defer cancel()
	found, err := a.look(prompt, s.conn)
	switch {
	case err == nil:
	case ctx.Err() == nil && prompt.Err() != nil:
		return s.conn.Silent()
	default:
		return err
	}
	if s.blind && !found.blind {
		return errSighted
	}
	changed := !found.blind && a.takePolicy(s, found.policy, found.revision)
	if _, why := a.withheld(); (why != nil) != (a.status.Phase == sd.Withheld) {
		changed = true // a line has expired while the host slept, and the timer with it
	}
	if a.status.Phase == sd.Registered {
		if err := a.owned(found.entry); err != nil {
			return err
		}
		if found.orphaned {
			a.createParent(prompt, s.conn)
		}
		changed = changed || a.value != a.record()
	}
	if changed {
		return errSteered
	}
	return nil
}

// A found is what there is before an entry is written.
type found struct {
	revision int64
	policy   string
	orphaned bool             // there is no directory
	entry    *mvccpb.KeyValue // nil: there is none
	blind    bool             // the policy is not for us to read: the last one stays
}

// spans are what is to be watched.
func (f found) spans(r *registration) []cluster.Span {
	if f.blind {
		return []cluster.Span{{Key: r.key}}
	}
	return []cluster.Span{{Key: r.key}, {Key: r.backend.config.Key}}
}

// look reads the policy and the entry in one transaction, as the majority has them.
func (r *registration) look(ctx context.Context, n *cluster.Conn) (f found, err error) {
	bounded, cancel := n.Bounded(ctx, cluster.RequestTimeout)
	defer cancel()
	got, err := n.Txn(bounded).
		Then(clientv3.OpGet(r.key), clientv3.OpGet(r.backend.config.Key)).
		Commit()
	if errors.Is(cluster.Explain(err), sd.ErrDenied) && !cluster.IsAuth(err) {
		f.blind = true
		got, err = n.Txn(bounded).Then(clientv3.OpGet(r.key)).Commit()
	}
	if err != nil {
		return f, n.Judge(ctx, err)
	}
	f.revision = got.Header.Revision
	f.orphaned = !f.blind
	for i, response := range got.Responses {
		for _, kv := range response.GetResponseRange().Kvs {
			if i == 0 {
				f.entry = kv
			} else {
				f.policy, f.orphaned = string(kv.Value), false
			}
		}
	}
	return f, nil
}
