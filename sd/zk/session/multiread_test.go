package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/session/internal/wire"
	"example.com/daytime/sd/zk/zktest"
	gozk "github.com/go-zookeeper/zk"
)

// On a real server, which knows multiRead since ZooKeeper 3.6: many nodes, some of which are
// missing, empty, or longer together than a reply may be.
func TestMultiReadOnZooKeeper(t *testing.T) {
	s, err := New(Config{Hosts: []string{zktest.Start(t).Addr()}, Timeout: 4 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s.Start(nil)
	defer s.Close()
	c := waitFor(t, s)
	var paths []string
	megabyte := bytes.Repeat([]byte("x"), 1000000)
	for n := range 1300 {
		path := fmt.Sprintf("/node%d", n)
		data := []byte(path)
		switch {
		case n%100 == 7:
			data = nil
		case n > 600 && n < 640: // 39 MB in the second request
			data = megabyte
		}
		if n%100 != 9 {
			if _, err := c.Create(path, data, 0, gozk.WorldACL(gozk.PermAll)); err != nil {
				t.Fatal(err)
			}
		}
		paths = append(paths, path)
	}
	reads, err := c.MultiRead(paths)
	if err != nil || len(reads) != len(paths) {
		t.Fatalf("want %d reads, have %d, %v", len(paths), len(reads), err)
	}
	for n, read := range reads {
		want, stat, err := c.Get(paths[n])
		if !bytes.Equal(want, read.Data) || !errors.Is(read.Err, err) || err == nil && read.Stat != *stat {
			t.Errorf("%s: want %.20q, %+v, %v, have %.20q, %+v, %v", paths[n], want, stat, err, read.Data, read.Stat, read.Err)
		}
	}
	if reads, err := c.MultiRead(nil); len(reads) != 0 || err != nil {
		t.Errorf("of nothing: want nothing, have %v, %v", reads, err)
	}
	if c.Err() != nil {
		t.Errorf("want the Conn up, have %v", c.Err())
	}
}

// waitFor waits in real time until s has a Conn.
func waitFor(t *testing.T, s *Session) *Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		c, err := s.Wait(ctx)
		if err == nil {
			return c
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// A server that does not answer but closes the connection is asked twice; one that has answered
// once is not doubted.
func TestMultiReadThatIsCutOff(t *testing.T) {
	inLab(t, one, func(l *lab) {
		var cutting bool
		l.net.fail(func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := l.Dial(ctx, "tcp", address)
			return &cutsMultiRead{conn, &cutting}, err
		})
		s, c := l.connected()
		cutting = true
		for n := range 3 {
			_, err := c.MultiRead([]string{directory})
			if want := n > 0; errors.Is(err, ErrNoMultiRead) != want || err == nil {
				t.Errorf("request %d: want %v: %t, have %v", n+1, ErrNoMultiRead, want, err)
			}
			wait.Pass(time.Second)
			c = l.conn(s, 5*time.Second)
		}
		if _, err := c.MultiRead([]string{directory}); !errors.Is(err, ErrNoMultiRead) || c.Err() != nil {
			t.Errorf("afterwards: want %v without a request, have %v, %v", ErrNoMultiRead, err, c.Err())
		}
	})
}

// cutsMultiRead closes the connection at a multiRead.
type cutsMultiRead struct {
	net.Conn
	cutting *bool
}

func (c *cutsMultiRead) Write(b []byte) (int, error) {
	if *c.cutting && len(b) > 12 && binary.BigEndian.Uint32(b[8:]) == wire.OpMultiRead {
		c.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// A Conn that goes down with a multiRead under way ends it.
func TestMultiReadOnAConnThatGoesDown(t *testing.T) {
	inLab(t, one, func(l *lab) {
		_, c := l.connected()
		l.Freeze()
		done := make(chan error, 1)
		go func() {
			_, err := c.MultiRead([]string{directory})
			done <- err
		}()
		synctest.Wait()
		l.Disconnect()
		if err := <-done; err == nil {
			t.Error("want an error, have none")
		}
		l.Thaw()
	})
}
