package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/internal/cluster"
	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/policy"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// errSteered is of an attempt whose entry the policy treats in another way now.
var errSteered = errors.New("the policy has changed")

// An announcement is one call of Announce.
type announcement struct {
	*registration
	entry policy.Entry
	// changes are the attributes that follow.
	changes <-chan policy.Attributes
	told    func(sd.Status)
	status  sd.Status // that was told last; the zero value: nothing yet
}

// announce publishes the entry and keeps it, unless the policy withholds it, until ctx is done or
// it is lost. It goes on over one connection after the other: for as long as the lease may live,
// or, while there is no entry, for as long as it takes.
func (r *registration) announce(ctx context.Context, e sd.Entry, told func(sd.Status)) error {
	a := &announcement{
		registration: r,
		entry:        policy.Entry{Instance: e.Instance, Attributes: e.Attributes},
		changes:      e.Changes,
		told:         told,
	}
	n, err := r.backend.cluster.Get(ctx)
	for err == nil {
		err = a.steer(ctx, n)
		switch {
		case ctx.Err() != nil:
			return err
		case errors.Is(err, cluster.ErrCompacted):
			err = nil // what has happened meanwhile is read
		case a.status.Phase == "" || !n.Over():
			return err
		default:
			n, err = a.reconnect(ctx)
		}
	}
	return err
}

// reconnect waits for the next connection.
func (a *announcement) reconnect(ctx context.Context) (*cluster.Conn, error) {
	if a.status.Phase != sd.Registered {
		return a.backend.cluster.Next(ctx)
	}
	alive, cancel := context.WithDeadline(ctx, a.renewed.Add(a.granted))
	defer cancel()
	n, err := a.backend.cluster.Next(alive)
	if err == nil || ctx.Err() != nil {
		return n, err
	}
	_, why := a.backend.cluster.Current()
	return nil, fmt.Errorf("%w: nothing was heard for the lease's %v: %w", errLost, a.granted, why)
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
	s, err := n.Watch(ctx, found.revision+1, found.spans(a.registration)...)
	if err != nil {
		return err
	}
	defer s.Close()
	_ = a.gate.SetPolicy(found.policy) // the last one stays
	for {
		again, why := a.withheld()
		timer := newTimerAt(again)
		if why != nil {
			err = a.withhold(ctx, n, s, timer.C, why)
		} else {
			err = a.publishAndKeep(ctx, n, s, timer.C)
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

// tell says where the entry stands, if that is news.
func (a *announcement) tell(ctx context.Context, p sd.Phase, why error) {
	same := p == a.status.Phase && fmt.Sprint(why) == fmt.Sprint(a.status.Err)
	if same || ctx.Err() != nil {
		return
	}
	a.status = sd.Status{Phase: p, Err: why}
	a.told(a.status)
}

// withhold takes the entry away, if there is one, also a predecessor's, and waits until the policy
// may say something else.
func (a *announcement) withhold(
	ctx context.Context, n *cluster.Conn, s *cluster.Stream, again <-chan time.Time, why error,
) error {
	if err := a.erase(ctx, n); err != nil {
		return err
	}
	a.tell(ctx, sd.Withheld, why)
	ask := time.NewTicker(a.backend.config.Patience())
	defer ask.Stop()
	silent := 0 // signs of life that have not come
	for {
		select {
		case response, open := <-s.Responses:
			silent = 0
			if !open {
				return s.Err(ctx)
			}
			if err := cluster.Check(response); err != nil {
				return err
			}
			if a.readPolicy(response.Events) {
				return errSteered
			}
		case <-ask.C:
			if silent++; silent > 2 {
				return n.Silent()
			}
			if err := s.Ask(ctx); err != nil {
				return err
			}
		case a.entry.Attributes = <-a.changes:
			return errSteered
		case <-again:
			return errSteered
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// readPolicy takes the policy from events, and reports whether there was one.
func (a *announcement) readPolicy(events []*mvccpb.Event) (any bool) {
	for _, e := range events {
		if string(e.Kv.Key) == a.backend.config.Key {
			_ = a.gate.SetPolicy(string(e.Kv.Value)) // of a key that was deleted it is empty
			any = true
		}
	}
	return any
}

// A found is what there is before an entry is written.
type found struct {
	revision int64
	policy   string
	entry    *mvccpb.KeyValue // nil: there is none
	blind    bool             // the policy is not for us to read
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
	for i, response := range got.Responses {
		for _, kv := range response.GetResponseRange().Kvs {
			if i == 0 {
				f.entry = kv
			} else {
				f.policy = string(kv.Value)
			}
		}
	}
	return f, nil
}

// record is the value of the entry.
func (a *announcement) record() string {
	parent := a.backend.config.Key
	r := record.Record{
		Instance:   a.instance,
		Service:    parent[1+lastSlash(parent):],
		Attributes: a.entry.Attributes,
		Owner:      a.backend.owner,
	}
	r.Attributes.Since = a.since
	return string(r.Encode())
}

// leavingRecord is the last value of an entry: what it said before, and that it leaves.
func (r *registration) leavingRecord() string {
	last, _ := record.Parse([]byte(r.value)) // which is ours
	last.Leaving = true
	return string(last.Encode())
}
