package session

import (
	"errors"
	"fmt"

	"example.com/daytime/sd/zk/session/internal/wire"
	gozk "github.com/go-zookeeper/zk"
)

// An ability is something that a server may lack, by the operation.
type ability struct {
	server string
	opcode int32
}

// The values of Session.missing, which counts signs that a server lacks an ability, one after the
// other. A server that had the ability once begins lower, so that it takes more of them.
const (
	proved    = -2 // the server had it
	suspicion = 1  // one sign, of which a read must tell that nothing else is wrong
	certain   = 2  // it is lacking
	// maxAbilities bounds how many are remembered: servers may move from address to address.
	maxAbilities = 1000
)

// noteMissing notes a sign that server lacks an ability, and reports whether that is certain.
func (s *Session) noteMissing(server string, opcode int32, weight int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	signs := s.missing[ability{server, opcode}] + 1
	if weight == certain {
		signs = certain
	}
	s.rememberLocked(server, opcode, signs)
	return signs >= certain
}

// clearMissing notes that server has an ability.
func (s *Session) clearMissing(server string, opcode int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rememberLocked(server, opcode, proved)
}

// rememberLocked notes how many signs there are that server lacks an ability. It forgets all others
// when they are too many: what they taught is learned again.
func (s *Session) rememberLocked(server string, opcode int32, signs int) {
	a := ability{server, opcode}
	if _, known := s.missing[a]; !known && len(s.missing) >= maxAbilities {
		clear(s.missing)
	}
	s.missing[a] = signs
}

// isMissing reports whether server is known to lack an ability.
func (s *Session) isMissing(server string, opcode int32) bool {
	return s.signs(server, opcode) >= certain
}

// signs returns how many signs there are that server lacks an ability.
func (s *Session) signs(server string, opcode int32) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.missing[ability{server, opcode}]
}

// try makes a request of a kind that the server may lack: it does not know the operation, or
// refuses it with whatever code, or closes the connection over it, or never answers it. The error
// matches lacks once that has happened twice while nothing else is wrong, which a read of path
// tells.
func (c *Conn) try(opcode int32, lacks error, path string, request func() error) error {
	s := c.handle.session
	for {
		if s.signs(c.Server, opcode) == suspicion {
			if err := c.checkRead(path); err != nil {
				return err
			}
		}
		err := request()
		weight := 0
		switch {
		case err == nil:
			s.clearMissing(c.Server, opcode)
			return nil
		case c.requests.Code(opcode) == codeUnimplemented:
			weight = certain
		case c.hasAnswered(opcode, err) && c.checkRead(path) == nil,
			c.Err() != nil && c.requests.IsSuspect(opcode):
			weight = suspicion
		}
		switch {
		case weight == 0:
			return err
		case s.noteMissing(c.Server, opcode, weight):
			return fmt.Errorf("%s: %w: %s: %w", c.Server, lacks, c.hint(opcode), err)
		case c.Err() != nil:
			return err
		}
	}
}

// checkRead returns an error if a read of path has another answer than it should.
func (c *Conn) checkRead(path string) error {
	if _, _, err := c.Get(path); !errors.Is(err, gozk.ErrNoNode) {
		return err
	}
	return nil
}

// hasAnswered reports whether err, of a request with that opcode, is the server's answer on this
// connection, and not one that may be another in a moment.
func (c *Conn) hasAnswered(opcode int32, err error) bool {
	var code *CodeError
	if errors.As(err, &code) && code.isTransient() || errors.Is(err, gozk.ErrConnectionClosed) {
		return false
	}
	return c.requests.Code(opcode) != 0 && c.Err() == nil
}

// hint says which servers refuse an operation in the way in which this one did.
func (c *Conn) hint(opcode int32) string {
	switch code := c.requests.Code(opcode); {
	case code == codeUnimplemented:
		return "the server is older than ZooKeeper 3.6"
	case code == codeMarshalling && opcode == wire.OpAddWatch:
		return "the server may have watchManagerName=...WatchManagerOptimized"
	default:
		return "refused twice"
	}
}
