package zktest_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/zktest"
)

// TestFourLetterWords compares what a server says about itself with what its clients did.
func TestFourLetterWords(t *testing.T) {
	server := zktest.Start(t)
	first, second := connect(t, server.Addr()), connect(t, server.Addr())

	t.Run("FourLetter", func(t *testing.T) {
		if want, have := "imok", server.FourLetter(t, "ruok"); want != have {
			t.Errorf("ruok: want %q, have %q", want, have)
		}
	})
	t.Run("Connections", func(t *testing.T) {
		if want, have := 2, server.Connections(t); want != have {
			t.Errorf("want %d, have %d", want, have)
		}
	})
	t.Run("Zxid", func(t *testing.T) {
		before := server.Zxid(t)
		mustCreate(t, first, "/a", 0)
		if want, have := before+1, server.Zxid(t); want != have {
			t.Errorf("after one create: want %x, have %x", want, have)
		}
	})
	t.Run("Metric", func(t *testing.T) {
		before := server.Metric(t, "zk_znode_count")
		mustCreate(t, first, "/b", 0)
		if want, have := before+1, server.Metric(t, "zk_znode_count"); want != have {
			t.Errorf("after one create: want %d, have %d", want, have)
		}
	})
	t.Run("Watches", func(t *testing.T) {
		watch(t, first)
		if want, have := 2, server.Watches(t); want != have {
			t.Errorf("want %d, have %d", want, have)
		}
		if want, have := "Total watches:1", server.FourLetter(t, "wchs"); !strings.Contains(have, want) {
			t.Errorf("wchs, which counts data watches only: want %q in %q", want, have)
		}
	})
	t.Run("Ephemerals", func(t *testing.T) {
		mustCreate(t, first, "/e1", gozk.FlagEphemeral)
		mustCreate(t, first, "/e2", gozk.FlagEphemeral)
		mustCreate(t, second, "/e3", gozk.FlagEphemeral)
		want := map[int64][]string{first.SessionID(): {"/e1", "/e2"}, second.SessionID(): {"/e3"}}
		have := server.Ephemerals(t)
		for _, paths := range have {
			slices.Sort(paths)
		}
		if !reflect.DeepEqual(want, have) {
			t.Errorf("want %v, have %v", want, have)
		}
	})
	t.Run("Connections after close", func(t *testing.T) {
		second.Close()
		wait.True(t, "end of the second connection", func() bool { return server.Connections(t) == 1 })
	})
}

// watch leaves one watch on children and one on data.
func watch(t *testing.T, conn *gozk.Conn) {
	t.Helper()
	if _, _, _, err := conn.ChildrenW("/"); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := conn.GetW("/a"); err != nil {
		t.Fatal(err)
	}
}

func TestDownServerIsNamed(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	server.Kill(t)
	for name, do := range map[string]func(*zktest.Server, testing.TB){
		"Freeze": (*zktest.Server).Freeze,
		"Thaw":   (*zktest.Server).Thaw,
		"Await":  (*zktest.Server).Await,
		"Zxid":   func(s *zktest.Server, tb testing.TB) { s.Zxid(tb) },
	} {
		if fatal := fatalText(t, func(tb testing.TB) { do(server, tb) }); !strings.Contains(fatal,
			server.Addr()) {
			t.Errorf("%s: want a failure that names %s, have %q", name, server.Addr(), fatal)
		}
	}
	server.Launch(t)
	fatal := fatalText(t, server.Launch)
	if want := "already up"; !strings.Contains(fatal, want) {
		t.Errorf("second Launch: want %q, have %q", want, fatal)
	}
	server.Await(t)
	if want, have := "imok", server.FourLetter(t, "ruok"); want != have {
		t.Errorf("after Await: want %q, have %q", want, have)
	}
}
