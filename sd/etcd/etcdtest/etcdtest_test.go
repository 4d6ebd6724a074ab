package etcdtest_test

import (
	"context"
	"testing"
	"time"

	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/internal/wait"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(t testing.TB, addrs ...string) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: addrs, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// serves reports whether a linearizable read is answered by the client's member.
func serves(client *clientv3.Client) error {
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(context.Background()), 3*time.Second)
	defer cancel()
	_, err := client.Get(ctx, "key")
	return err
}

// A member that is killed comes back with its data, one that is wiped without.
func TestMember(t *testing.T) {
	m := etcdtest.Start(t)
	client := connect(t, m.Addr())
	count := func() int64 {
		t.Helper()
		got, err := client.Get(t.Context(), "key")
		if err != nil {
			t.Fatal(err)
		}
		return got.Count
	}
	if _, err := client.Put(t.Context(), "key", "value"); err != nil {
		t.Fatal(err)
	}
	m.Restart(t)
	if n := count(); n != 1 {
		t.Errorf("after a restart: want the key, have %d", n)
	}
	m.Freeze(t)
	if err := serves(client); err == nil {
		t.Error("frozen: want no answer, have one")
	}
	m.Thaw(t)
	m.Wipe(t)
	m.Launch(t)
	m.Await(t)
	if n := count(); n != 0 {
		t.Errorf("after a wipe: want no key, have %d", n)
	}
	m.Stop(t)
	if m.PID() != 0 {
		t.Error("stopped: want it down, have it up")
	}
}

// An isolated member serves nobody, whether it led or not; the others do, under another leader.
func TestIsolate(t *testing.T) {
	c := etcdtest.StartCluster(t, 3)
	isolated := c.Leader(t)
	alone := connect(t, isolated.Addr())
	if err := serves(alone); err != nil {
		t.Fatal(err)
	}
	c.Isolate(isolated)
	wait.True(t, "the isolated one is silent", func() bool { return serves(alone) != nil })
	for _, m := range c.Members() {
		if m != isolated {
			client := connect(t, m.Addr())
			wait.True(t, "the others serve", func() bool { return serves(client) == nil })
		}
	}
	if err := serves(alone); err == nil {
		t.Error("isolated: want no answer, have one")
	}
	c.Rejoin()
	wait.True(t, "it serves again", func() bool { return serves(alone) == nil })
}
