package zktest_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/zktest"
)

// TestEnsemble walks one ensemble through its faults, since its start costs the most; each step
// leaves it whole.
func TestEnsemble(t *testing.T) {
	t.Parallel()
	ensemble := zktest.StartEnsemble(t, 3)
	conn := connect(t, ensemble.Addrs()...)
	mustCreate(t, conn, "/kept", 0)

	t.Run("one leads", func(t *testing.T) {
		leader, followers := ensemble.Leader(t), ensemble.Followers(t)
		if len(followers) != 2 || followers[0] == leader || followers[1] == leader ||
			followers[0] == followers[1] {
			t.Errorf("want two followers besides %s, have %v", leader.Addr(), followers)
		}
		for _, member := range ensemble.Servers() {
			sameData(t, member)
		}
	})
	t.Run("all know the ephemerals", func(t *testing.T) {
		mustCreate(t, conn, "/ephemeral", gozk.FlagEphemeral)
		want := map[int64][]string{conn.SessionID(): {"/ephemeral"}}
		for _, member := range ensemble.Servers() {
			wait.True(t, "ephemeral on "+member.Addr(),
				func() bool { return reflect.DeepEqual(want, member.Ephemerals(t)) })
		}
	})
	t.Run("the leader dies", func(t *testing.T) {
		session := conn.SessionID()
		old := ensemble.Leader(t)
		old.Kill(t)
		if ensemble.Leader(t) == old {
			t.Errorf("%s still leads", old.Addr())
		}
		wait.True(t, "read", func() bool { return readable(conn, "/kept") })
		if want, have := session, conn.SessionID(); want != have {
			t.Errorf("session: want %x, have %x", want, have)
		}
		old.Restart(t)
		sameData(t, old)
	})
	t.Run("no quorum, no service", func(t *testing.T) {
		leader, followers := ensemble.Leader(t), ensemble.Followers(t)
		followers[0].Kill(t)
		followers[1].Stop(t)
		wait.True(t, "end of service", func() bool {
			return !strings.Contains(leader.FourLetter(t, "srvr"), "Mode:")
		})
		followers[0].Launch(t)
		followers[0].Await(t)
		followers[1].Restart(t)
		sameData(t, followers[1])
	})
	t.Run("all freeze", func(t *testing.T) {
		ensemble.Freeze(t)
		fresh := make(chan error, 1)
		go func() {
			_, _, err := conn.Get("/kept")
			fresh <- err
		}()
		select {
		case err := <-fresh:
			if err == nil {
				t.Errorf("read answered while all are frozen")
			}
		case <-time.After(300 * time.Millisecond):
		}
		ensemble.Thaw(t)
		wait.True(t, "read", func() bool { return readable(conn, "/kept") })
	})
	t.Run("all restart", func(t *testing.T) {
		ensemble.Restart(t)
		for _, member := range ensemble.Servers() {
			sameData(t, member)
		}
	})
	t.Run("all is wiped", func(t *testing.T) {
		ensemble.Wipe(t)
		ensemble.Restart(t)
		ensemble.Leader(t)
		exists, _, err := connect(t, ensemble.Addrs()...).Exists("/kept")
		if err != nil || exists {
			t.Errorf("/kept: want absent, have exists %t, error %v", exists, err)
		}
	})
}

// sameData wants the node that the test began with on the member, which may lag behind the leader
// for a moment.
func sameData(t *testing.T, member *zktest.Server) {
	t.Helper()
	conn := connect(t, member.Addr())
	wait.True(t, "/kept on "+member.Addr(), func() bool { return readable(conn, "/kept") })
	if state := conn.State(); state != gozk.StateHasSession {
		t.Errorf("%s: want a session, have %v", member.Addr(), state)
	}
}

func TestExample(t *testing.T) {
	t.Parallel()
	leaderDiesBehindAStall(t)
}

func TestEnsembleOfOneIsRefused(t *testing.T) {
	if fatal := fatalText(t, func(tb testing.TB) { zktest.StartEnsemble(tb, 1) }); fatal == "" {
		t.Error("want a failure, have none")
	}
}
