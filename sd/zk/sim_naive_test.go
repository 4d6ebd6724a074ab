package zk_test

import (
	"context"
	"errors"
	"net"
	"time"

	"example.com/daytime/sd"
	gozk "github.com/go-zookeeper/zk"
)

// A naive backend watches as one would with go-zookeeper alone: one-shot watches, a list for each
// change. It is right as long as nothing goes wrong but time, and its bug cannot be had by wrapping
// a backend.
type naive struct {
	sd.Backend
	line *line
	arm  func(conn *gozk.Conn, emit func(sd.Change)) (<-chan gozk.Event, error)
}

// listBeforeArm lists, then asks for the watch: a change in between is seen by neither.
func listBeforeArm(sim *simulation, p *program, b sd.Backend) sd.Backend {
	p.sessions += p.slot.viewers
	return &naive{b, p.line, func(conn *gozk.Conn, emit func(sd.Change)) (<-chan gozk.Event, error) {
		names, _, err := conn.Children("/go_servers")
		if err != nil {
			return nil, err
		}
		emit(sd.Change{Reset: true, Up: names})
		_, _, changed, err := conn.ChildrenW("/go_servers")
		return changed, err
	}}
}

// listWithArm is the same with one request for both.
func listWithArm(sim *simulation, p *program, b sd.Backend) sd.Backend {
	p.sessions += p.slot.viewers
	return &naive{b, p.line, func(conn *gozk.Conn, emit func(sd.Change)) (<-chan gozk.Event, error) {
		names, _, changed, err := conn.ChildrenW("/go_servers")
		if err == nil {
			emit(sd.Change{Reset: true, Up: names})
		}
		return changed, err
	}}
}

// Watch uses one connection. A Conn that would dial again would also arm again, with a data race of
// the library.
func (n *naive) Watch(ctx context.Context, want sd.Want, emit func(sd.Change)) error {
	dials := 0
	conn, events, err := gozk.Connect([]string{"127.0.0.1"}, 10*time.Second, gozk.WithLogInfo(false),
		gozk.WithDialer(func(network, address string, _ time.Duration) (net.Conn, error) {
			if dials++; dials > 1 {
				return nil, errLineDown
			}
			return n.line.dial(ctx, network, address)
		}))
	if err != nil {
		return err
	}
	again := time.NewTicker(time.Second)
	defer again.Stop()
	defer func() {
		conn.Close()
		for range events {
		}
	}()
	for {
		changed, err := n.arm(conn, emit)
		if err != nil && !errors.Is(err, gozk.ErrNoNode) {
			return err
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case e := <-events:
				if e.State == gozk.StateDisconnected {
					return gozk.ErrConnectionClosed
				}
			case <-changed:
				waiting = false
			case <-again.C:
				waiting = err == nil // or there is no directory, nor a watch
			}
		}
	}
}
