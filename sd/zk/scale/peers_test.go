package scale

import (
	"encoding/binary"
	"net"
	"path"
	"testing"
	"time"

	kitsd "github.com/go-kit/kit/sd"
	kitzk "github.com/go-kit/kit/sd/zk"
	kitlog "github.com/go-kit/log"
	gozk "github.com/go-zookeeper/zk"
)

// openKit is go-kit's own instancer.
func openKit(tb testing.TB, _ *fleet, addr, dir string) *watcher {
	client, err := kitzk.NewClient([]string{addr}, kitlog.NewNopLogger(),
		kitzk.SessionTimeout(sessionTimeout))
	if err != nil {
		tb.Fatal(err)
	}
	if err := client.CreateParentNodes(dir); err != nil { // returns once there is a session
		tb.Fatal(err)
	}
	w := newWatcher()
	var i *kitzk.Instancer
	events := make(chan kitsd.Event)
	w.start = func() {
		go w.relay(events)
		if i, err = kitzk.NewInstancer(client, dir, kitlog.NewNopLogger()); err != nil {
			tb.Error(err)
			return
		}
		i.Register(events)
	}
	w.close = func() {
		i.Deregister(events)
		i.Stop()
		client.Stop()
		close(events)
	}
	return w
}

// openChildren is the loop that many write for themselves. Its goroutine ends with the connection.
func openChildren(tb testing.TB, _ *fleet, addr, dir string) *watcher {
	conn, end := dial(tb, addr, net.DialTimeout, nil)
	w := newWatcher()
	w.start = func() {
		go func() {
			for {
				names, _, changed, err := conn.ChildrenW(dir)
				if err != nil {
					return
				}
				w.saw(whole(names))
				<-changed
			}
		}()
	}
	w.close = end
	return w
}

// openEvent arms a persistent watch. Its first sighting is the reply, since events make no set by
// themselves.
func openEvent(tb testing.TB, _ *fleet, addr, dir string) *watcher {
	w := newWatcher()
	conn, end := dial(tb, addr, dialWatching, func(e gozk.Event) {
		if e.Type != gozk.EventSession {
			w.saw(event(e))
		}
	})
	w.start = func() {
		if _, err := conn.Sync(dir); err != nil {
			tb.Error(err)
		}
		w.saw(nil)
	}
	w.close = end
	return w
}

// event is a sighting of what e tells.
func event(e gozk.Event) func(string, bool) bool {
	return func(instance string, up bool) bool {
		want := gozk.EventNodeDeleted
		if up {
			want = gozk.EventNodeCreated
		}
		return path.Base(e.Path) == instance && e.Type == want
	}
}

// A watching connection turns each sync into an addWatch for the node and everything below it:
// go-zookeeper has none.
type watching struct{ net.Conn }

func dialWatching(network, addr string, timeout time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout(network, addr, timeout)
	return watching{conn}, err
}

func (c watching) Write(b []byte) (int, error) {
	const opSync, opAddWatch, recursive = 9, 106, 1
	if len(b) < 12 || binary.BigEndian.Uint32(b[8:]) != opSync {
		return c.Conn.Write(b)
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(b)))
	out = append(out, b[4:8]...)
	out = binary.BigEndian.AppendUint32(out, opAddWatch)
	out = append(out, b[12:]...)
	out = binary.BigEndian.AppendUint32(out, recursive)
	if _, err := c.Conn.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}
