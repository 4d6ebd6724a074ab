package scale

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// A registrant is the least that a registered server can be: a session with one ephemeral node. A
// client library for each of ten thousand would measure the memory of this process.
type registrant struct {
	conn net.Conn
	node string
}

// openRegistrant returns a registrant of node, once the node is there.
func openRegistrant(addr, node string, timeout time.Duration) (*registrant, error) {
	conn, err := net.DialTimeout("tcp", addr, bound)
	if err != nil {
		return nil, err
	}
	r := &registrant{conn, node}
	if err := r.register(timeout); err != nil {
		conn.Close()
		return nil, fmt.Errorf("%s: %w", node, err)
	}
	return r, nil
}

// register begins the session and creates the node (ZooKeeper's jute records: ConnectRequest, and
// CreateRequest with an ACL for everybody).
func (r *registrant) register(timeout time.Duration) error {
	if err := r.conn.SetDeadline(time.Now().Add(bound)); err != nil {
		return err
	}
	login := binary.BigEndian.AppendUint32(make([]byte, 12), uint32(timeout.Milliseconds()))
	login = binary.BigEndian.AppendUint32(append(login, make([]byte, 8)...), 16)
	if _, err := r.request(append(login, make([]byte, 16)...)); err != nil {
		return err
	}
	const opCreate, all, ephemeral = 1, 31, 1
	create := []byte{0, 0, 0, 1, 0, 0, 0, opCreate}
	create = text(create, r.node)
	create = binary.BigEndian.AppendUint32(create, 0) // no data
	create = append(create, 0, 0, 0, 1, 0, 0, 0, all)
	create = text(text(create, "world"), "anyone")
	reply, err := r.request(append(create, 0, 0, 0, ephemeral))
	if err != nil {
		return err
	}
	if code := int32(binary.BigEndian.Uint32(reply[12:])); code != 0 {
		return fmt.Errorf("create: error %d", code)
	}
	return r.conn.SetDeadline(time.Time{})
}

// text appends a string as jute writes it.
func text(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// request sends a frame and returns the next one.
func (r *registrant) request(frame []byte) ([]byte, error) {
	_, err := r.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	if err != nil {
		return nil, err
	}
	return readFrame(r.conn)
}

// A shift is many registrants that hold their sessions, until they leave. One goroutine pings for all
// of them, and one reads the answers of each.
type shift struct {
	all  []*registrant
	quit chan struct{}
	busy sync.WaitGroup
}

// startShift registers instances from first on, many at once, spread over the servers.
func startShift(
	tb testing.TB, addrs []string, path string, first, n int, timeout time.Duration,
) *shift {
	tb.Helper()
	const atOnce = 64
	s := &shift{all: make([]*registrant, n), quit: make(chan struct{})}
	failures := make([]error, atOnce)
	var opening sync.WaitGroup
	for lane := range atOnce {
		opening.Go(func() {
			for k := lane; k < n; k += atOnce {
				node := path + "/" + instance(first+k)
				r, err := openRegistrant(addrs[k%len(addrs)], node, timeout)
				if s.all[k] = r; err != nil {
					failures[lane] = err
					return
				}
				s.busy.Go(r.drain)
			}
		})
	}
	s.busy.Go(func() { s.ping(timeout / 4) })
	opening.Wait()
	if err := errors.Join(failures...); err != nil {
		s.leave()
		tb.Fatal(err)
	}
	return s
}

// drain reads what the server says until the connection ends.
func (r *registrant) drain() {
	for {
		if _, err := readFrame(r.conn); err != nil {
			return
		}
	}
}

func (s *shift) ping(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	ping := []byte{0, 0, 0, 8, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 11} // length, xid -2, opcode
	for {
		select {
		case <-s.quit:
			return
		case <-ticker.C:
			for _, r := range s.all {
				if r != nil {
					_, _ = r.conn.Write(ping) // one that is gone is noticed by its node
				}
			}
		}
	}
}

// leave ends all connections without a word, so that the sessions expire.
func (s *shift) leave() {
	close(s.quit)
	for _, r := range slices.DeleteFunc(slices.Clone(s.all), func(r *registrant) bool { return r == nil }) {
		r.conn.Close()
	}
	s.busy.Wait()
}
