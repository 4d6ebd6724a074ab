package zk

import (
	"context"
	"fmt"
	"slices"
	"time"

	"example.com/daytime/sd"
)

// state returns the link, if there is one, and what is closed at its next
// change.
func (k *keeper) state() (*link, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.link, k.changed
}

// wait returns the link as soon as there is one that is up. It gives up after
// patience, when ctx is done, or when the keeper is closed.
func (k *keeper) wait(ctx context.Context) (*link, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		l, changed := k.state()
		if l != nil && l.alive() {
			return l, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-k.ctx.Done():
			return nil, sd.ErrClosed
		case <-timer.C:
			return nil, k.noSession()
		}
	}
}

// noSession says why there is no session.
func (k *keeper) noSession() error {
	k.mu.Lock()
	current := k.current
	k.mu.Unlock()
	_, _, _, failure := current.status()
	if failure == nil {
		return errNoSession
	}
	return fmt.Errorf("%w: %w", errNoSession, failure)
}

// owned reports whether session is, or was, one of this keeper's.
func (k *keeper) owned(session int64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Contains(k.held, session)
}

// persistent reports whether watches on server are persistent ones.
func (k *keeper) persistent(server string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.config.watch == watchPersistent || k.config.watch == watchAuto && !k.old[server]
}

// noteAge remembers the server of l if it is too old for persistent watches,
// and reports whether it is.
func (k *keeper) noteAge(l *link) (old bool) {
	if !l.replies.noAddWatch() {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.old[l.server] = true
	return true
}

// era counts the clients that were given up for a probe: from one to the next
// ZooKeeper's data may have gone back.
func (k *keeper) era() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.recreated
}

// timeout is the session timeout: as negotiated, or as asked for before that.
func (k *keeper) timeout() time.Duration {
	k.mu.Lock()
	current := k.current
	k.mu.Unlock()
	current.mu.Lock()
	defer current.mu.Unlock()
	return current.asked
}

// saidGoodbye reports whether close has ended the session, and with it every
// node of it. It is called after done.
func (k *keeper) saidGoodbye() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ended
}

// unanswered is why a request has no reply yet.
func (k *keeper) unanswered() error {
	if l, _ := k.state(); l != nil {
		return fmt.Errorf("%s: %w", l.server, errSilent)
	}
	return k.noSession()
}
