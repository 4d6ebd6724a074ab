package watch

import (
	"context"

	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// arm sees to it that the events of c are those of a persistent watch on the directory, unless
// lists are to be used. Broken is closed when one of them was missed.
func (d *Directory) arm(ctx context.Context, c *session.Conn) (broken <-chan struct{}, err error) {
	select {
	case d.arming <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-d.arming }()
	if !d.usePersistent(c) {
		return nil, nil
	}
	if broken := d.armedOn(c); broken != nil {
		return broken, nil
	}
	return d.armTree(c)
}

// armTree arms the persistent watch. The caller has the turn.
func (d *Directory) armTree(c *session.Conn) (broken <-chan struct{}, err error) {
	d.mu.Lock()
	d.tree = c // from here on a one-shot watch would end it
	d.mu.Unlock()
	if err := c.AddWatch(d.Parent, session.Tree); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed = c
	return d.broken, nil
}

// ReadData returns the directory's data, and sees to it that the next change of them makes an
// event. While there is, or may be, a persistent watch on c that one does. Otherwise a one-shot
// watch on the data is armed, which no child's coming and going reaches; a persistent watch that is
// armed after it takes its place.
func (d *Directory) ReadData(c *session.Conn) ([]byte, *gozk.Stat, error) {
	select {
	case d.arming <- struct{}{}:
	case <-c.Down():
		return nil, nil, session.ErrDisconnected
	}
	defer func() { <-d.arming }()
	if !d.mayHaveTree(c) {
		return c.GetOnce(d.Parent)
	}
	if d.armedOn(c) == nil {
		if _, err := d.armTree(c); err != nil {
			return nil, nil, err
		}
	}
	return c.Get(d.Parent)
}

// mayHaveTree reports whether there may be a persistent watch on c, and it is relied on.
func (d *Directory) mayHaveTree(c *session.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tree == c && d.using == Persistent && d.Mode.Persistent(c)
}

// usePersistent decides how the directory is watched on c.
func (d *Directory) usePersistent(c *session.Conn) bool {
	distrusted := d.Mode == Auto && d.repaired.Load() >= maxMissed
	persistent := d.Mode.Persistent(c) && !distrusted
	d.mu.Lock()
	defer d.mu.Unlock()
	d.using = Children
	if persistent {
		d.using = Persistent
	}
	return persistent
}

// armedOn returns the channel that is closed when an event of the watch on c was missed, or nil if
// there is no watch on c.
func (d *Directory) armedOn(c *session.Conn) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.armed != c {
		return nil
	}
	return d.broken
}

// disarm has the watch on c armed again by the next Watch, because it may have been lost. That is
// no change to it if it was not.
func (d *Directory) disarm(c *session.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.armed == c {
		d.armed = nil
	}
}

// missed notes that an event was missed: every follower arms and reads again.
func (d *Directory) missed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.repaired.Add(1)
	if d.Repaired != nil {
		d.Repaired()
	}
	d.armed = nil
	close(d.broken)
	d.broken = make(chan struct{})
}
