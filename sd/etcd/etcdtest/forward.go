package etcdtest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
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

// maxHead bounds the head of a request.
const maxHead = 16 << 10

// A link is one connection of a member to another.
type link struct {
	from         *Member // nil: not known, or not yet
	source, sink net.Conn
}

func (l *link) close() {
	l.source.Close()
	if l.sink != nil {
		l.sink.Close()
	}
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

// serve forwards one connection, once it is known whose it is.
func (f *forwarder) serve(source net.Conn) {
	l := &link{source: source}
	defer l.close()
	if !f.add(l) {
		return
	}
	defer f.remove(l)
	from := bufio.NewReaderSize(source, maxHead)
	head, err := readHead(from)
	if err != nil {
		return
	}
	sink, err := net.Dial("tcp", f.target)
	if err != nil {
		return
	}
	if !f.connect(l, f.cluster.sender(head), sink) {
		return
	}
	if _, err := io.WriteString(sink, head); err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		io.Copy(source, sink)
		l.close()
	})
	io.Copy(sink, from)
	l.close()
	back.Wait()
}

// add is false once the forwarder is closed.
func (f *forwarder) add(l *link) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.links[l] = struct{}{}
	return true
}

// connect completes a link. It is false for one that is cut.
func (f *forwarder) connect(l *link, from *Member, sink net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	l.from, l.sink = from, sink
	return !f.closed && !f.cuts(l)
}

func (f *forwarder) remove(l *link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.links, l)
}

// cuts reports whether a link leads to or from whoever is isolated, or may do so. The caller holds
// the lock.
func (f *forwarder) cuts(l *link) bool {
	return f.isolated != nil && (f.isolated == f.member || f.isolated == l.from || l.from == nil)
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

// readHead reads the head of a request, with the empty line at its end.
func readHead(r *bufio.Reader) (string, error) {
	var head strings.Builder
	for head.Len() <= maxHead {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		head.WriteString(line)
		if line == "\r\n" {
			return head.String(), nil
		}
	}
	return "", errors.New("the head of a request is too long")
}

// sender is the member that has sent a request: those of Raft say at which URLs their sender can be
// reached itself. It is nil for the others, which ask for a version or for the members.
func (c *Cluster) sender(head string) *Member {
	for line := range strings.SplitSeq(head, "\r\n") {
		name, urls, _ := strings.Cut(line, ":")
		if !strings.EqualFold(name, "X-PeerURLs") {
			continue
		}
		for _, m := range c.members {
			if strings.Contains(urls, "http://"+m.peer.addr()) {
				return m
			}
		}
	}
	return nil
}
