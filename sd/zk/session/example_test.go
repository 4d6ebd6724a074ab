package session_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/daytime/sd/zk/session"
	"example.com/daytime/sd/zk/zkdev"
	gozk "github.com/go-zookeeper/zk"
)

// A candidate leads once it owns the node. Closing its session ends that.
type candidate struct {
	*session.Session
	name    string
	changed chan struct{} // capacity 1: the node has
}

func newCandidate(addr, name string) *candidate {
	s, err := session.New(session.Config{Hosts: []string{addr}, Timeout: 4 * time.Second})
	if err != nil {
		panic(err)
	}
	c := &candidate{s, name, make(chan struct{}, 1)}
	s.Start(func(*session.Conn, gozk.Event) {
		select {
		case c.changed <- struct{}{}:
		default:
		}
	})
	return c
}

// lead returns once c leads, or when ctx is done. The leadership may end with the session of the
// Conn: if that is down for a session timeout, or the next one has another session.
func (c *candidate) lead(ctx context.Context, path string) (*session.Conn, error) {
	for ctx.Err() == nil {
		conn, err := c.Wait(ctx)
		if err != nil {
			continue // ctx is done, or there is no session yet
		}
		_, err = conn.Create(path, []byte(c.name), gozk.FlagEphemeral, gozk.WorldACL(gozk.PermAll))
		if err != nil && !errors.Is(err, gozk.ErrNodeExists) {
			continue // whether it was created, the next look tells
		}
		there, stat, err := conn.ExistsOnce(path)
		switch {
		case err != nil || !there:
		case stat.EphemeralOwner == conn.Session:
			return conn, nil
		default:
			select {
			case <-c.changed:
			case <-conn.Down(): // and the watch with it
			case <-ctx.Done():
			}
		}
	}
	return nil, ctx.Err()
}

// Two candidates elect a leader. When it leaves, the other one leads.
func Example() {
	server, err := zkdev.Start("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	fmt.Println(elect(context.Background(), server.Addr().String()))
	// Output: a b <nil>
}

// elect returns who leads first, and who leads when that one has left.
func elect(ctx context.Context, addr string) (first, second string, err error) {
	a, b := newCandidate(addr, "a"), newCandidate(addr, "b")
	defer a.Close()
	defer b.Close()
	if _, err := a.lead(ctx, "/leader"); err != nil {
		return "", "", err
	}
	time.AfterFunc(50*time.Millisecond, func() { a.Close() })
	conn, err := b.lead(ctx, "/leader")
	if err != nil {
		return "", "", err
	}
	data, _, err := conn.Get("/leader")
	return "a", string(data), err
}
