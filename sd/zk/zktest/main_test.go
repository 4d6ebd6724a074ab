package zktest_test

import (
	"net"
	"testing"
	"time"

	"example.com/daytime/sd/internal/wait"
	gozk "github.com/go-zookeeper/zk"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sessionTimeout is what the tests' clients ask for.
const sessionTimeout = 4 * time.Second

type silent struct{}

func (silent) Printf(string, ...any) {}

// connect returns a connection that has a session, closed at the end of the test.
func connect(t *testing.T, addrs ...string) *gozk.Conn {
	t.Helper()
	return connectThrough(t, net.DialTimeout, addrs...)
}

func connectThrough(t *testing.T, dial gozk.Dialer, addrs ...string) *gozk.Conn {
	t.Helper()
	conn, _, err := gozk.Connect(addrs, sessionTimeout, gozk.WithLogger(silent{}),
		gozk.WithDialer(dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	wait.True(t, "session", func() bool { return conn.State() == gozk.StateHasSession })
	return conn
}

func mustCreate(t *testing.T, conn *gozk.Conn, path string, flags int32) {
	t.Helper()
	if _, err := conn.Create(path, []byte("data"), flags, gozk.WorldACL(gozk.PermAll)); err != nil {
		t.Fatalf("create %s: %v", path, err)
	}
}

// readable says whether the node exists with the data that mustCreate gives.
func readable(conn *gozk.Conn, path string) bool {
	data, _, err := conn.Get(path)
	return err == nil && string(data) == "data"
}
