package wire

import (
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Silence counts from the request, or from the last reply or the end of a long one, and events are
// no replies.
func TestSilence(t *testing.T) {
	const timeout, most, rest = 4 * time.Second, 3 * time.Second, time.Second
	ping, event := answer(-2, 0)[4:], answer(-1, 0, 0, 0)[4:]
	for name, c := range map[string]struct {
		do  func(r *Requests) // takes 4s
		bad bool
	}{
		"nothing asked": {func(r *Requests) { time.Sleep(timeout) }, false},
		"asked":         {func(r *Requests) { ask(r, 5); time.Sleep(timeout) }, true},
		"just asked":    {func(r *Requests) { time.Sleep(most); ask(r, 5); time.Sleep(rest) }, false},
		"answered":      {func(r *Requests) { ask(r, 5); r.received(16, answer(5, 0)[4:]); time.Sleep(timeout) }, false},
		"one of two": {func(r *Requests) {
			ask(r, 5)
			ask(r, 6)
			time.Sleep(rest)
			r.received(16, answer(5, 0)[4:])
			time.Sleep(most)
		}, false},
		"a long reply":    {func(r *Requests) { ask(r, 5); time.Sleep(most); r.heard(); time.Sleep(rest) }, false},
		"events":          {func(r *Requests) { ask(r, 5); time.Sleep(most); r.received(20, event); time.Sleep(rest) }, true},
		"pings meanwhile": {func(r *Requests) { ask(r, 5); time.Sleep(most); r.received(16, ping); time.Sleep(rest) }, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := NewRequests()
			r.begin(timeout)
			c.do(r)
			if err := r.received(16, ping); errors.Is(err, ErrUnanswered) != c.bad {
				t.Errorf("%s: want an error %t, have %v", name, c.bad, err)
			}
		})
	}
}

// ask notes a request.
func ask(r *Requests, xid uint32) { r.sent(request(word(xid), opExists, []byte("/"), []byte{0})) }

// A list that takes several times as long as go-zookeeper allows is read as long as it arrives; one
// that stops arriving, or of which only a trickle comes, is not.
func TestLongFrames(t *testing.T) {
	const allowed = 3 * time.Second
	names := slices.Repeat([]string{"192.0.2.123:12345"}, 20_000)
	whole := answer(5, 0, list(uint32(len(names)), names...)...)
	for name, c := range map[string]struct {
		piece int
		every time.Duration
		good  bool
	}{
		"in pieces":        {len(whole) / 10, allowed * 9 / 10, true},
		"stops":            {len(whole) / 2, 2 * allowed, false},
		"as a trickle":     {24, allowed / 3, false}, // ping replies, after a wrong length
		"long pieces":      {len(whole) / 2, allowed * 9 / 10, true},
		"at once":          {len(whole), 0, true},
		"little by little": {minProgress / 4, allowed / 5, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, server, _ := guarded(t, time.Second)
				go server.Write(connectReply(4500*time.Millisecond, 9))
				if err := authenticate(g); err != nil {
					t.Fatal(err)
				}
				g.Requests.sent(request(word(5), opGetChildren2, []byte("/"), []byte{0}))
				var sending sync.WaitGroup
				sending.Go(func() { send(server, whole, c.piece, c.every) })
				defer sending.Wait()
				defer g.Close()
				start := time.Now()
				g.SetReadDeadline(start.Add(allowed))
				n, err := io.ReadFull(g, make([]byte, len(whole)))
				if (err == nil) != c.good {
					t.Errorf("want whole %t, have %d of %d bytes, %v after %v", c.good, n, len(whole), err, time.Since(start))
				}
			})
		})
	}
}

// send writes b in pieces, until the other end is closed.
func send(conn net.Conn, b []byte, piece int, every time.Duration) {
	for len(b) > 0 {
		n := min(piece, len(b))
		if _, err := conn.Write(b[:n]); err != nil {
			return
		}
		b = b[n:]
		time.Sleep(every)
	}
}
