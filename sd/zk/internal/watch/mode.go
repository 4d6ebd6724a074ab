package watch

import (
	"errors"
	"fmt"

	"example.com/daytime/sd/zk/session"
)

// Mode says how a directory is watched.
type Mode string

const (
	Auto       Mode = "auto"       // persistent where the server can
	Persistent Mode = "persistent" // one watch for all the time, since ZooKeeper 3.6
	Children   Mode = "children"   // one-shot watches and a list for each change
)

// Persistent reports whether the watches on c are to be persistent ones.
func (m Mode) Persistent(c *session.Conn) bool {
	return m == Persistent || m == Auto && c.CanAddWatch()
}

// Explain adds to the error of a server without persistent watches what is done about it.
func (m Mode) Explain(err error) error {
	if m == Auto && errors.Is(err, session.ErrNoAddWatch) {
		return fmt.Errorf("%w; from now on it is watched by lists", err)
	}
	return err
}
