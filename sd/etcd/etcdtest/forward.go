package etcdtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A forwarder is where the others reach one member. It owns a goroutine for its listener and two
// for each connection; close ends and awaits them.
type forwarder struct {
	cluster  *Cluster
	member   *Member
	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	isolated *Member // cut off from the others; nil: nobody
	links    map[*link]struct{}
}

// How often, and how far apart, the owner of a socket is looked for.
const (
	ownerAttempts = 10
	ownerPause    = 10 * time.Millisecond
)

// A link is one connection of a member to another.
type link struct {
	from         *Member // nil: unknown
	source, sink net.Conn
}

func (l *link) close() {
	l.source.Close()
	l.sink.Close()
}

// forward listens for the peers of m, which itself listens on target, until start.
func forward(c *Cluster, m *Member, target string) (*forwarder, error) {
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", loopback(ports[0]))
	if err != nil {
		return nil, err
	}
	return &forwarder{
		cluster: c, member: m, target: target, listener: listener, links: map[*link]struct{}{},
	}, nil
}

// start begins to forward, once the cluster is complete.
func (f *forwarder) start() { f.running.Go(f.accept) }

func (f *forwarder) addr() string { return f.listener.Addr().String() }

func (f *forwarder) accept() {
	for {
		source, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.running.Go(func() { f.serve(source) })
	}
}

func (f *forwarder) serve(source net.Conn) {
	defer source.Close()
	from := f.cluster.ownerInTime(source.RemoteAddr().String(), source.LocalAddr().String())
	if from == nil { // whoever cannot be told cannot be cut off; a member dials again
		return
	}
	sink, err := net.Dial("tcp", f.target)
	if err != nil {
		return
	}
	l := &link{from, source, sink}
	defer l.close()
	if !f.add(l) {
		return
	}
	defer f.remove(l)
	var back sync.WaitGroup
	back.Go(func() {
		io.Copy(source, sink)
		l.close()
	})
	io.Copy(sink, source)
	l.close()
	back.Wait()
}

// add is false for a link that is cut.
func (f *forwarder) add(l *link) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.cuts(l) {
		return false
	}
	f.links[l] = struct{}{}
	return true
}

func (f *forwarder) remove(l *link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.links, l)
}

// cuts reports whether a link leads to or from whoever is isolated. The caller holds the lock.
func (f *forwarder) cuts(l *link) bool {
	return f.isolated != nil && (f.isolated == f.member || f.isolated == l.from)
}

func (f *forwarder) isolate(m *Member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.isolated = m
	for l := range f.links {
		if f.cuts(l) {
			l.close()
		}
	}
}

func (f *forwarder) close() {
	f.listener.Close()
	f.mu.Lock()
	f.closed = true
	for l := range f.links {
		l.close()
	}
	f.mu.Unlock()
	f.running.Wait()
}

// ownerInTime asks for the owner a few times: a table of /proc that changes while it is read may lack
// a socket.
func (c *Cluster) ownerInTime(local, remote string) *Member {
	for range ownerAttempts {
		if m := c.owner(local, remote); m != nil {
			return m
		}
		time.Sleep(ownerPause)
	}
	return nil
}

// owner is the member that has the socket between two addresses.
func (c *Cluster) owner(local, remote string) *Member {
	inode := inodeOf(local, remote)
	for _, m := range c.members {
		sockets, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(m.PID()), "fd", "*"))
		for _, name := range sockets {
			target, err := os.Readlink(name)
			if err == nil && inode != "" && target == "socket:["+inode+"]" {
				return m
			}
		}
	}
	return nil
}

// inodeOf finds the socket between two IPv4 addresses of loopback in /proc/net/tcp (proc(5)). The
// local one alone does not name it: connections to different addresses may share a port, and on a
// busy machine some do. A link that was taken for another member's would be left out of an
// isolation, so that the isolated member went on hearing of a leader.
func inodeOf(local, remote string) string {
	table, err := os.Open("/proc/net/tcp")
	if err != nil {
		return ""
	}
	defer table.Close()
	local, remote = inTable(local), inTable(remote)
	for lines := bufio.NewScanner(table); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 9 && fields[1] == local && fields[2] == remote {
			return fields[9]
		}
	}
	return ""
}

// inTable is a loopback address as /proc/net/tcp writes it.
func inTable(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	return fmt.Sprintf("0100007F:%04X", n)
}
