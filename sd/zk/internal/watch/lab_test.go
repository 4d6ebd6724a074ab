package watch

import (
	"testing"
	"time"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/session"
	"example.com/daytime/sd/zk/zkdev"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	parent = "/go_servers"
	alice  = "192.0.2.1:8897"
	bob    = "192.0.2.2:8897"
)

// unconnected returns a Directory whose session is never started.
func unconnected(t *testing.T) *Directory {
	t.Helper()
	s, err := session.New(session.Config{Hosts: []string{"zookeeper.example.com:2181"}, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return New(s, Config{Parent: parent, Mode: Auto})
}

// connected returns a Directory on a server in memory, and the Conn of its session. It is called in
// a bubble.
func connected(t *testing.T, c Config) (*zkdev.Server, *Directory, *session.Conn) {
	t.Helper()
	server := zkdev.New()
	t.Cleanup(func() { server.Close() })
	if err := server.Create(c.Parent, nil, 0); err != nil {
		t.Fatal(err)
	}
	s, err := session.New(session.Config{
		Hosts: []string{"zookeeper.example.com:2181"}, Timeout: 4 * time.Second, Dial: server.Dial,
	})
	if err != nil {
		t.Fatal(err)
	}
	d := New(s, c)
	s.Start(d.Event)
	t.Cleanup(func() { s.Close() })
	var on *session.Conn
	wait.InBubble(t, time.Second, func() error {
		on, _ = s.Conn()
		return s.Err()
	})
	return server, d, on
}
