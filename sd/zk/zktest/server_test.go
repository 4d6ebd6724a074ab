package zktest_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/zktest"
)

func TestRestartKeepsDataPortAndSession(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	conn := connect(t, server.Addr())
	mustCreate(t, conn, "/kept", 0)
	session, pid, addr := conn.SessionID(), server.PID(), server.Addr()

	server.Restart(t)

	wait.True(t, "read after the restart", func() bool { return readable(conn, "/kept") })
	if want, have := session, conn.SessionID(); want != have {
		t.Errorf("session: want %x, have %x", want, have)
	}
	if want, have := addr, server.Addr(); want != have {
		t.Errorf("address: want %s, have %s", want, have)
	}
	if server.PID() == pid {
		t.Errorf("process %d has not been replaced", pid)
	}
}

func TestKillAndStopEndTheProcess(t *testing.T) {
	for name, end := range map[string]func(*zktest.Server, testing.TB){
		"Kill": (*zktest.Server).Kill,
		"Stop": (*zktest.Server).Stop,
		"Kill frozen": func(s *zktest.Server, tb testing.TB) {
			s.Freeze(tb)
			s.Kill(tb)
		},
		"Stop frozen": func(s *zktest.Server, tb testing.TB) {
			s.Freeze(tb)
			s.Stop(tb)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := zktest.Start(t)
			pid := server.PID()
			end(server, t)
			server.Kill(t) // of a server that is down: nothing
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("process %d: want %v, have %v", pid, syscall.ESRCH, err)
			}
			if want, have := 0, server.PID(); want != have {
				t.Errorf("pid: want %d, have %d", want, have)
			}
			if conn, err := net.Dial("tcp", server.Addr()); err == nil {
				conn.Close()
				t.Errorf("%s still accepts", server.Addr())
			}
		})
	}
}

func TestServerThatEndsByItselfIsDown(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	if err := syscall.Kill(server.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wait.True(t, "end of the process", func() bool { return server.PID() == 0 })
	server.Launch(t)
	server.Await(t)
}

func TestStartReportsWhyServerExits(t *testing.T) {
	zktest.Need(t)
	fatal := fatalText(t, func(tb testing.TB) { zktest.Start(tb, zktest.Config("tickTime=soon")) })
	if want := "NumberFormatException"; !strings.Contains(fatal, want) {
		t.Errorf("want the log's %q in %q", want, fatal)
	}
}

func TestWipe(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	mustCreate(t, connect(t, server.Addr()), "/lost", 0)

	server.Wipe(t)
	if want, have := 0, server.PID(); want != have {
		t.Errorf("pid after Wipe: want %d, have %d", want, have)
	}
	server.Restart(t)

	exists, _, err := connect(t, server.Addr()).Exists("/lost")
	if err != nil || exists {
		t.Errorf("/lost: want absent, have exists %t, error %v", exists, err)
	}
}

func TestFreezeAndThaw(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	conn := connect(t, server.Addr())
	mustCreate(t, conn, "/kept", 0)
	session := conn.SessionID()

	server.Freeze(t)
	answered := make(chan error, 1)
	go func() {
		_, _, err := conn.Get("/kept")
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Errorf("answered while frozen: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	server.Thaw(t)

	if err := <-answered; err != nil {
		t.Errorf("after Thaw: %v", err)
	}
	if want, have := session, conn.SessionID(); want != have {
		t.Errorf("session: want %x, have %x", want, have)
	}
}

func TestTickTimeBoundsTheSession(t *testing.T) {
	server := zktest.Start(t, zktest.TickTime(50*time.Millisecond))
	connect(t, server.Addr())
	want := ",to=1000," // 20 ticks, although the client asked for 4 s
	if have := server.FourLetter(t, "cons"); !strings.Contains(have, want) {
		t.Errorf("cons: want %q in %q", want, have)
	}
}

func TestConfigOverrides(t *testing.T) {
	server := zktest.Start(t, zktest.Config("maxClientCnxns=1"))
	connect(t, server.Addr())
	if err := firstRead(server.Addr()); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("second connection: want it closed, have %v", err)
	}
}

// firstRead connects and waits for a byte, or for the server's refusal, which may come while still
// connecting.
func firstRead(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

func TestDefaults(t *testing.T) {
	server := zktest.Start(t)
	mustCreate(t, connect(t, server.Addr()), "/logged", 0)
	logs, err := filepath.Glob(filepath.Join(server.DataDir(), "version-2", "log.*"))
	if err != nil || len(logs) != 1 {
		t.Errorf("transaction logs in DataDir: want 1, have %v, error %v", logs, err)
	}
	if want, have := "", server.SecureAddr(); want != have {
		t.Errorf("secure address: want %q, have %q", want, have)
	}
}
