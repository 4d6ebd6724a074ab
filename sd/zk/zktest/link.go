package zktest

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// drainBound is how long a cut connection waits for its peers to close; then it is closed under
// them.
const drainBound = 500 * time.Millisecond

// A link is one connection through a proxy. The proxy owns its goroutine, run, which owns the two
// pumps.
type link struct {
	proxy  *Proxy
	client *net.TCPConn
	target *net.TCPConn // nil until dialled; guarded by proxy.mu
	hung   bool
	ctx    context.Context // done once the link is cut or reset: nothing is forwarded after that
	cancel context.CancelFunc
}

func (l *link) run() {
	defer l.proxy.remove(l)
	defer l.cancel()
	defer l.client.Close()
	if l.hung {
		l.discard(l.client)
		<-l.ctx.Done()
		return
	}
	target, err := l.dial()
	if err != nil {
		l.fail()
		l.discard(l.client)
		return
	}
	defer target.Close()
	if !l.attach(target) {
		l.discard(l.client)
		return
	}
	var pumps sync.WaitGroup
	pumps.Go(func() { l.pump(ToTarget, target, l.client) })
	pumps.Go(func() { l.pump(ToClient, l.client, target) })
	pumps.Wait()
}

func (l *link) dial() (*net.TCPConn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(l.ctx, "tcp", l.proxy.target)
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// attach is false when the link was ended while it dialled: end did not know of the target then.
func (l *link) attach(target *net.TCPConn) bool {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	l.target = target
	return l.ctx.Err() == nil
}

// pump forwards one direction until the source ends or the link is ended.
func (l *link) pump(d Direction, dst, src *net.TCPConn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := src.Read(buffer)
		if !l.forward(d, dst, buffer[:n]) {
			l.discard(src)
			return
		}
		if err == io.EOF {
			dst.CloseWrite()
			return
		}
		if err != nil {
			l.fail()
			return
		}
	}
}

// forward says whether the pump may go on. Without data, at the end of the stream, it only waits
// for its turn.
func (l *link) forward(d Direction, dst *net.TCPConn, data []byte) bool {
	l.delay()
	if !l.pass(d) || len(data) == 0 {
		return l.ctx.Err() == nil
	}
	allowed, last := l.proxy.spend(d, len(data))
	n, err := dst.Write(data[:allowed])
	l.proxy.count(d, n)
	switch {
	case err != nil:
		if l.pass(1 - d) { // a stalled direction hears of nothing
			l.fail()
		}
	case last:
		l.cut()
	}
	return l.ctx.Err() == nil
}

func (l *link) delay() {
	delay := l.proxy.delayNow()
	if delay == 0 {
		return
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.ctx.Done():
	}
}

// pass waits while the direction is stalled, and says whether the link is still up then.
func (l *link) pass(d Direction) bool {
	for gate := l.proxy.gate(d); gate != nil; gate = l.proxy.gate(d) {
		select {
		case <-gate:
		case <-l.ctx.Done():
			return false
		}
	}
	return l.ctx.Err() == nil
}

// discard reads until the peer closes or the drain's deadline: closing with unread bytes would turn
// the cut into a reset (RFC 2525, section 2.17).
func (l *link) discard(src *net.TCPConn) { _, _ = io.Copy(io.Discard, src) }

// cut ends the link with the end of the stream on both sides.
func (l *link) cut() {
	for _, conn := range l.end() {
		conn.CloseWrite()
		conn.SetDeadline(time.Now().Add(drainBound))
	}
}

// reset ends the link with a TCP reset on both sides.
func (l *link) reset() {
	for _, conn := range l.end() {
		conn.SetLinger(0)
		conn.Close()
	}
}

// fail passes a peer's failure on to the other, unless the failure is only that the link was ended.
func (l *link) fail() {
	if l.ctx.Err() == nil {
		l.reset()
	}
}

// end stops forwarding and returns the connections to close.
func (l *link) end() []*net.TCPConn {
	l.cancel()
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	if l.target == nil {
		return []*net.TCPConn{l.client}
	}
	return []*net.TCPConn{l.client, l.target}
}
