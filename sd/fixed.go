package sd

import (
	"context"
	"fmt"
	"slices"
)

// errFixed is what Announce of a fixed list returns.
var errFixed = fmt.Errorf("fixed: a fixed list %w", ErrNoAnnounce)

// A fixedList is a list without a registry. Closed ends its calls.
type fixedList struct {
	instances []string
	closed    context.Context
	close     context.CancelFunc
}

// OpenFixed opens fixed://ip:port[,ip:port...], a list that never changes: good for asking servers
// that are registered nowhere. Each of them must pass [CheckInstance]; a path and keys are refused.
// Announce on it fails with [ErrNoAnnounce].
func OpenFixed(t Target) (Backend, error) {
	if t.Path != "" || len(t.Keys) > 0 {
		return nil, fmt.Errorf("target %s: a fixed list has neither path nor keys; "+
			"want fixed://ip:port[,ip:port...]", t)
	}
	b := &fixedList{}
	for _, h := range t.Hosts {
		if err := CheckInstance(h.String()); err != nil {
			return nil, fmt.Errorf("target %s: %w", t, err)
		}
		if !slices.Contains(b.instances, h.String()) {
			b.instances = append(b.instances, h.String())
		}
	}
	b.closed, b.close = context.WithCancel(context.Background())
	return b, nil
}

func (b *fixedList) Watch(ctx context.Context, want Want, emit func(Change)) error {
	if b.closed.Err() != nil {
		return ErrClosed
	}
	if ctx.Err() == nil {
		emit(Change{Reset: true, Up: b.instances, Lacking: want})
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-b.closed.Done():
		return ErrClosed
	}
}

func (b *fixedList) Announce(ctx context.Context, _ Entry, _ func(Status)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return errFixed
}

func (b *fixedList) Close() error {
	b.close()
	return nil
}
