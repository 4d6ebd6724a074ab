package etcd

import (
	"context"
	"errors"
	"fmt"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/internal/cluster"
	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/policy"
)

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
		case errors.Is(err, cluster.ErrCompacted), errors.Is(err, errSighted):
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

// tell says where the entry stands, if that is news.
func (a *announcement) tell(ctx context.Context, p sd.Phase, why error) {
	same := p == a.status.Phase && fmt.Sprint(why) == fmt.Sprint(a.status.Err)
	if same || ctx.Err() != nil {
		return
	}
	a.status = sd.Status{Phase: p, Err: why}
	a.told(a.status)
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

// takeAttributes takes over the attributes that follow, and reports whether there are any.
func (a *announcement) takeAttributes(next policy.Attributes, open bool) bool {
	if !open {
		a.changes = nil
		return false
	}
	a.entry.Attributes = next
	return true
}
