package scale

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
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

// A shift is many registrants, in processes of their own, which hold their sessions until they
// leave: a process has descriptors for some thousands.
type shift struct{ workers []*worker }

// perWorker are the registrants of one process.
const perWorker = 5000

// A worker is one of the processes. The end of its standard input is its end.
type worker struct {
	cmd   *exec.Cmd
	stdin io.Closer
	ready *bufio.Scanner
}

// startShift registers instances from first on, many at once, spread over the servers.
func startShift(
	tb testing.TB, addrs []string, path string, first, n int, timeout time.Duration,
) *shift {
	tb.Helper()
	s := &shift{}
	for from := first; from < first+n; from += perWorker {
		w := &worker{cmd: exec.Command(os.Args[0])}
		w.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d %d %v", shiftVariable,
			strings.Join(addrs, ","), path, from, min(perWorker, first+n-from), timeout))
		w.cmd.Stderr = os.Stderr
		in, inErr := w.cmd.StdinPipe()
		out, outErr := w.cmd.StdoutPipe()
		if err := errors.Join(inErr, outErr, w.cmd.Start()); err != nil {
			tb.Fatal(err)
		}
		w.stdin, w.ready = in, bufio.NewScanner(out)
		s.workers = append(s.workers, w)
	}
	for _, w := range s.workers {
		if !w.ready.Scan() || w.ready.Text() != "ready" {
			s.leave()
			tb.Fatalf("registrants: want them ready, have %q", w.ready.Text())
		}
	}
	return s
}

// leave ends all connections without a word, so that the sessions expire.
func (s *shift) leave() {
	for _, w := range s.workers {
		w.cmd.Process.Kill()
	}
	for _, w := range s.workers {
		w.stdin.Close()
		w.cmd.Wait()
	}
}

// shiftVariable tells a process to be a worker: the servers, the directory, the first instance, how
// many, and the session timeout.
const shiftVariable = "SCALE_SHIFT"

// work is the main of a worker.
func work(order string) error {
	var servers, path string
	var first, n int
	var timeout time.Duration
	var text string
	_, err := fmt.Sscan(order, &servers, &path, &first, &n, &text)
	if err == nil {
		timeout, err = time.ParseDuration(text)
	}
	if err == nil {
		err = registerAll(strings.Split(servers, ","), path, first, n, timeout)
	}
	if err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// registerAll opens registrants, many at once, which then hold their sessions.
func registerAll(addrs []string, path string, first, n int, timeout time.Duration) error {
	const atOnce = 64
	failures := make([]error, atOnce)
	var opening sync.WaitGroup
	for lane := range atOnce {
		opening.Go(func() {
			for k := lane; k < n; k += atOnce {
				r, err := openRegistrant(addrs[k%len(addrs)], path+"/"+instance(first+k), timeout)
				if err != nil {
					failures[lane] = err
					return
				}
				go r.hold(timeout / 4)
			}
		})
	}
	opening.Wait()
	return errors.Join(failures...)
}

// hold pings, and reads what the server says, until the connection ends.
func (r *registrant) hold(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	go func() {
		for {
			if _, err := readFrame(r.conn); err != nil {
				return
			}
		}
	}()
	ping := []byte{0, 0, 0, 8, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 11} // length, xid -2, opcode
	for range ticker.C {
		if _, err := r.conn.Write(ping); err != nil {
			return // its node goes with the session
		}
	}
}
