package zk

import (
	"context"
	"errors"
	"fmt"
	"math"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// ReadPolicy implements sd.PolicyStore. The policy is the data of the directory, and its version is
// the dataVersion of the directory's Stat. A directory that is missing has none, of version 0.
//
// It waits a second for a session, and then as long as the server takes: until ctx is done.
func (b *Backend) ReadPolicy(ctx context.Context) (document string, version int64, err error) {
	var data []byte
	var stat *gozk.Stat
	err = b.ask(ctx, func(c *session.Conn) (err error) {
		data, stat, err = c.Get(b.config.directory.Parent)
		return err
	})
	switch {
	case errors.Is(err, gozk.ErrNoNode):
		return "", 0, nil
	case err != nil: // and a request may be under way that will set data
		return "", 0, fmt.Errorf("zk: read policy %s: %w", b.config.directory.Parent, err)
	}
	return string(data), int64(stat.Version), nil
}

// WritePolicy implements sd.PolicyStore. It takes the right to write to the directory itself, which
// is neither the one to register nor implied by it. A directory that is missing is made first, and
// is empty then: so that of two writers who saw none, one is told.
func (b *Backend) WritePolicy(ctx context.Context, document string, version int64) error {
	err := b.ask(ctx, func(c *session.Conn) error {
		if version < 0 || version > math.MaxInt32 {
			return sd.ErrOutdated // no directory has it, and -1 would be any
		}
		err := b.setPolicy(c, document, int32(version))
		if errors.Is(err, gozk.ErrNoNode) && version == 0 {
			if err := c.CreatePath(b.config.directory.Parent, b.config.acl); err != nil {
				return err
			}
			err = b.setPolicy(c, document, 0)
		}
		switch {
		case errors.Is(err, gozk.ErrBadVersion), errors.Is(err, gozk.ErrNoNode):
			return sd.ErrOutdated
		case errors.Is(err, gozk.ErrNoAuth):
			return &deniedWrite{b.config.whoWrites(), err}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("zk: write policy %s: %w", b.config.directory.Parent, err)
	}
	return nil
}

func (b *Backend) setPolicy(c *session.Conn, document string, version int32) error {
	_, err := c.Set(b.config.directory.Parent, []byte(document), version)
	return err
}

// A deniedWrite is a policy that the ACL of the directory does not allow to be written. Its text
// says so once, for an operator: those of ZooKeeper's error and of package session are left out.
type deniedWrite struct {
	text  string
	cause error
}

func (e *deniedWrite) Error() string   { return e.text }
func (e *deniedWrite) Unwrap() []error { return []error{sd.ErrDenied, e.cause} }

// whoWrites says who it was that may not write.
func (c *config) whoWrites() string {
	path := c.directory.Parent
	switch {
	case c.session.AuthFile != "":
		return fmt.Sprintf("the user in %s has no right to write to %s, which a policy takes",
			c.session.AuthFile, path)
	case c.session.TLS.Cert != "":
		return fmt.Sprintf("the bearer of %s has no right to write to %s, which a policy takes; "+
			"want auth-file=FILE with an operator's user:password", c.session.TLS.Cert, path)
	}
	return fmt.Sprintf("nobody without credentials has the right to write to %s, which a policy "+
		"takes; want auth-file=FILE with an operator's user:password", path)
}

// ask makes a request, and stops waiting for its reply when ctx is done. A request takes no ctx, so
// that it goes on, in a goroutine that ends with the connection at the latest.
func (b *Backend) ask(ctx context.Context, request func(*session.Conn) error) error {
	if b.config.directory.Layout != nil {
		return sd.ErrNoPolicy
	}
	c, err := b.session.Wait(ctx)
	if err != nil {
		return translate(err)
	}
	reply := make(chan error, 1)
	go func() { reply <- request(c) }()
	select {
	case err = <-reply:
	case <-ctx.Done():
		err = fmt.Errorf("%s: %w: %w", c.Server, errSilent, ctx.Err())
	}
	return translate(err)
}
