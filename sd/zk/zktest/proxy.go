package zktest

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A Direction is one of the two in which bytes flow through a [Proxy].
type Direction int

// ToTarget is what clients send, ToClient what they get.
const (
	ToTarget Direction = iota
	ToClient
)

// A Proxy forwards TCP connections from a loopback port to one target address, until told
// otherwise. By itself it changes nothing: a half-close is passed on as one, a reset as a reset. A
// target that cannot be dialled shows as a reset, which may reach the client while it is still
// dialling.
//
// One goroutine at a time turns the knobs; Addr and the counts may be asked for from any. A Proxy
// owns one goroutine that accepts and three for each connection; all have ended when the test ends.
type Proxy struct {
	tb           testing.TB
	addr, target string
	running      sync.WaitGroup
	acceptor     *acceptor // nil while refusing

	mu       sync.Mutex // guards what follows
	links    map[*link]struct{}
	accepted int
	bytes    [2]int64         // by Direction, as are the next two
	gates    [2]chan struct{} // of a stalled direction: closed by Heal; else nil
	budget   [2]*int          // bytes until the cut; nil when none is due
	hang     bool
	delay    time.Duration
}

// An acceptor is the life of one listener.
type acceptor struct {
	ln   net.Listener
	done chan struct{} // closed once nothing more is accepted
}

// NewProxy starts a proxy in front of target, such as [Server.Addr], until the end of the test.
func NewProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	ln, err := listenLow()
	if err != nil {
		tb.Fatalf("zktest: proxy: %v", err)
	}
	p := &Proxy{tb: tb, addr: ln.Addr().String(), target: target, links: map[*link]struct{}{}}
	p.serve(ln)
	tb.Cleanup(func() {
		p.Refuse()
		p.Reset()
		p.running.Wait()
	})
	return p
}

// Addr is where clients connect; it stays the same.
func (p *Proxy) Addr() string { return p.addr }

// Accepted counts the connections since the start or Forget. Refused ones are not among them.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Bytes counts what was forwarded in a direction since the start or Forget.
func (p *Proxy) Bytes(d Direction) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes[d]
}

// Open counts the connections there are now.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Forget sets Accepted and Bytes back to zero.
func (p *Proxy) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accepted, p.bytes = 0, [2]int64{}
}

// Cut ends all connections in order: both sides read what was forwarded before, then the end of the
// stream. New connections are welcome.
func (p *Proxy) Cut() { p.endAll((*link).cut) }

// Reset ends all connections with a TCP reset. New connections are welcome.
func (p *Proxy) Reset() { p.endAll((*link).reset) }

// Refuse closes the port: new connections are refused by the kernel, those there are go on.
func (p *Proxy) Refuse() {
	if p.acceptor == nil {
		return
	}
	p.acceptor.ln.Close()
	<-p.acceptor.done
	p.acceptor = nil
}

// Hang has new connections accepted, read from and never answered; those there are go on. A hung
// connection stays so until Cut or Reset, even after Heal.
func (p *Proxy) Hang() {
	p.mu.Lock()
	p.hang = true
	p.mu.Unlock()
	p.listen()
}

// Stall holds all bytes in the given directions, or in both when none is given, and the ends of
// streams too, on connections old and new, which stay up: a route has gone. Heal lets them flow
// again; nothing is lost.
func (p *Proxy) Stall(directions ...Direction) {
	if len(directions) == 0 {
		directions = []Direction{ToTarget, ToClient}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range directions {
		if p.gates[d] == nil {
			p.gates[d] = make(chan struct{})
		}
	}
}

// Delay holds each read's worth of bytes, at most 32 KiB, for d in each direction. Small writes
// that follow each other within d travel together.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// CutAfter forwards exactly n more bytes in a direction, over all connections, and then cuts the
// one that carried the last of them; with n = 0, the one that would carry the next. It happens
// once.
func (p *Proxy) CutAfter(d Direction, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.budget[d] = &n
}

// Heal undoes Refuse, Hang, Stall, Delay and a CutAfter still due.
func (p *Proxy) Heal() {
	p.mu.Lock()
	p.hang, p.delay, p.budget = false, 0, [2]*int{}
	for d, gate := range p.gates {
		if gate != nil {
			close(gate)
			p.gates[d] = nil
		}
	}
	p.mu.Unlock()
	p.listen()
}

// listen opens the port again after Refuse.
func (p *Proxy) listen() {
	if p.acceptor != nil {
		return
	}
	ln, err := net.Listen("tcp", p.addr)
	if err != nil {
		p.tb.Errorf("zktest: proxy: %v", err) // not Fatalf: this may not be the test's goroutine
		return
	}
	p.serve(ln)
}

func (p *Proxy) serve(ln net.Listener) {
	a := &acceptor{ln: ln, done: make(chan struct{})}
	p.acceptor = a
	p.running.Go(func() {
		defer close(a.done)
		for {
			client, err := ln.Accept()
			if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
				time.Sleep(pollInterval) // until there are descriptors again
				continue
			}
			if err != nil {
				return // closed by Refuse: a loopback listener has no other reason to fail
			}
			l := p.add(client.(*net.TCPConn))
			p.running.Go(l.run)
		}
	})
}

func (p *Proxy) add(client *net.TCPConn) *link {
	ctx, cancel := context.WithCancel(context.Background())
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &link{proxy: p, client: client, ctx: ctx, cancel: cancel, hung: p.hang}
	p.links[l] = struct{}{}
	p.accepted++
	return l
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

func (p *Proxy) endAll(end func(*link)) {
	p.mu.Lock()
	links := make([]*link, 0, len(p.links))
	for l := range p.links {
		links = append(links, l)
	}
	p.mu.Unlock()
	for _, l := range links {
		end(l)
	}
}

func (p *Proxy) delayNow() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delay
}

// gate is closed when the direction flows again; nil when it does.
func (p *Proxy) gate(d Direction) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gates[d]
}

// spend returns how many of n bytes may pass, and whether the connection is to be cut behind them.
func (p *Proxy) spend(d Direction, n int) (allowed int, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := p.budget[d]
	if left == nil {
		return n, false
	}
	allowed = min(n, *left)
	*left -= allowed
	cut = *left == 0 && n > 0
	if cut {
		p.budget[d] = nil
	}
	return allowed, cut
}

func (p *Proxy) count(d Direction, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes[d] += int64(n)
}
