package zk_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/daytime/sd/zk/zkdev"
)

// An observer writes down what really happens in the directory: a client of its own, with one
// recursive watch, that no fault of a simulation is aimed at. Slow and Freeze hold it up like
// everybody else, so what it notes may be late, but never wrong nor in another order. It speaks the
// wire protocol itself: to judge the package by the package's own watch would prove little.
type observer struct {
	server  *zkdev.Server
	session int64
	conn    net.Conn
	running sync.WaitGroup // its two goroutines

	mu      sync.Mutex
	history map[string][]turn      // by name; before the first turn it is absent
	writes  map[string][]time.Time // by name
}

// A turn is the moment at which a name appeared or vanished.
type turn struct {
	at      time.Time
	present bool
}

// observerTimeout is the longest that zkdev grants by default. A freeze must be shorter.
const observerTimeout = 40 * time.Second

// watchChange is an event of the wire protocol.
type watchChange struct {
	kind int32 // 1: created, 2: deleted, 3: data changed
	path string
}

// observe arms the watch and starts to take notes. Nobody else may change the directory before it
// returned.
func (o *observer) observe() error {
	for range 10 { // a fault meant for somebody else may hit it
		err := o.connect()
		if err == nil {
			return nil
		}
		o.close()
		o.server.Expire(o.session)
	}
	return errors.New("observer: cannot connect")
}

func (o *observer) connect() error {
	var err error
	if o.conn, err = o.server.Dial(context.Background(), "", ""); err != nil {
		return err
	}
	err = o.send(int32(0), int64(0), int32(observerTimeout.Milliseconds()), int64(0), text(make([]byte, 16)))
	if err != nil {
		return err
	}
	reply, err := o.receive()
	if err != nil || len(reply) < 16 {
		return fmt.Errorf("connect reply: %d bytes, %w", len(reply), err)
	}
	o.session = int64(binary.BigEndian.Uint64(reply[8:]))
	if err := o.send(int32(1), int32(zkdev.OpAddWatch), text("/"), int32(1)); err != nil {
		return err
	}
	if reply, err = o.receive(); err != nil {
		return err
	}
	if code := int32(binary.BigEndian.Uint32(reply[12:])); code != 0 {
		return zkdev.Code(code)
	}
	names, _ := o.server.Children("/go_servers")
	for _, name := range names {
		o.note(name, true)
	}
	stop := make(chan struct{})
	o.running.Go(func() { defer close(stop); o.read() })
	o.running.Go(func() { o.ping(stop) })
	return nil
}

// read takes notes until the connection ends.
func (o *observer) read() {
	for {
		frame, err := o.receive()
		if err != nil {
			return
		}
		if int32(binary.BigEndian.Uint32(frame)) != -1 {
			continue // the answer to a ping
		}
		e := watchChange{int32(binary.BigEndian.Uint32(frame[16:])), string(frame[28:])}
		name, ok := strings.CutPrefix(e.path, "/go_servers/")
		switch {
		case !ok || strings.Contains(name, "/"):
		case e.kind <= 2:
			o.note(name, e.kind == 1)
		case e.kind == 3:
			o.noteWrite(name)
		}
	}
}

// ping keeps the session until stop is closed.
func (o *observer) ping(stop <-chan struct{}) {
	ticker := time.NewTicker(observerTimeout / 8)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			o.send(int32(-2), int32(zkdev.OpPing))
		}
	}
}

func (o *observer) note(name string, present bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.history[name] = append(o.history[name], turn{time.Now(), present})
}

func (o *observer) noteWrite(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes[name] = append(o.writes[name], time.Now())
}

// wasWritten reports whether anybody wrote into the node of name at any time around then.
func (o *observer) wasWritten(name string, then time.Time, window time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.writes[name], func(at time.Time) bool {
		return then.Sub(at).Abs() < window
	})
}

// wiped notes that everything is gone, and its own session with it.
func (o *observer) wiped() {
	o.close()
	for name := range o.turns() {
		if turns := o.turns()[name]; turns[len(turns)-1].present {
			o.note(name, false)
		}
	}
}

// turns returns the history so far.
func (o *observer) turns() map[string][]turn {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make(map[string][]turn, len(o.history))
	for name, turns := range o.history {
		all[name] = turns[:len(turns):len(turns)]
	}
	return all
}

func (o *observer) close() {
	if o.conn != nil {
		o.conn.Close()
	}
	o.running.Wait()
}

// text is a string of the wire protocol.
type text []byte

// send writes one frame of numbers and texts.
func (o *observer) send(parts ...any) error {
	var body bytes.Buffer
	for _, part := range parts {
		if s, ok := part.(text); ok {
			binary.Write(&body, binary.BigEndian, int32(len(s)))
			part = []byte(s)
		}
		binary.Write(&body, binary.BigEndian, part)
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(body.Len()))
	_, err := o.conn.Write(append(frame, body.Bytes()...))
	return err
}

// receive reads one frame.
func (o *observer) receive() ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(o.conn, size[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(o.conn, frame)
	return frame, err
}
