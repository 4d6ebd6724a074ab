package zktest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	serveBound   = 30 * time.Second      // for a busy machine; a third of a second is usual
	pollInterval = 10 * time.Millisecond // between two looks at a starting server
	stopBound    = 5 * time.Second       // from SIGTERM to SIGKILL
	// for srvr while starting: a half-started server accepts and says nothing
	answerBound = 250 * time.Millisecond
	logTail     = 40 // lines shown when a test fails
)

// A Server is one ZooKeeper, up or down. It is driven by one goroutine at a time; Addr, SecureAddr
// and the four letter words may be used from any.
type Server struct {
	install installation
	dir     string
	id      int // 1, 2, … in a quorum, else 0
	ports   ports
	tls     bool
	process *process // the last one; nil before the first
}

// Addr is where clients connect, in clear text: a loopback address and port, the same after a
// restart.
func (s *Server) Addr() string { return loopback(s.ports.client) }

// SecureAddr is where clients connect with TLS; empty without the option [TLS].
func (s *Server) SecureAddr() string {
	if !s.tls {
		return ""
	}
	return loopback(s.ports.secure)
}

// DataDir holds snapshots and transaction logs. Copy it away and back, with the server down, to
// restore a backup.
func (s *Server) DataDir() string { return s.path("data") }

// PID is the id of the JVM, for tools such as strace; 0 while the server is down.
func (s *Server) PID() int {
	if s.down() {
		return 0
	}
	return s.process.pid()
}

// down is also true of a server that ended by itself, as one does whose disk is full.
func (s *Server) down() bool { return s.process == nil || s.process.exited() }

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

// Kill ends the server as kill -9 does: sockets are closed by the kernel, nothing is said, nothing
// is written. A server that is down already is left so.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	if !s.down() {
		s.check(tb, "kill", s.process.kill())
	}
}

// Stop ends the server with SIGTERM, and with SIGKILL when that takes more than 5 s.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if !s.down() {
		s.check(tb, "stop", s.process.terminate(stopBound))
	}
}

// Freeze stops the server's execution: connections stay open, the kernel still accepts new ones,
// nobody answers. The server's clock goes on, so on Thaw it finds that time has passed, and expires
// whoever missed it.
func (s *Server) Freeze(tb testing.TB) {
	tb.Helper()
	s.check(tb, "freeze", s.up(tb).freeze(stopBound))
}

// Thaw continues a frozen server.
func (s *Server) Thaw(tb testing.TB) {
	tb.Helper()
	s.check(tb, "thaw", s.up(tb).thaw())
}

// Restart kills the server when it is up, starts it on the same data and port, and returns once it
// serves. A member of an ensemble whose quorum is missing never does: use Launch there, or
// [Ensemble.Restart].
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	s.Kill(tb)
	s.Launch(tb)
	s.Await(tb)
}

// Launch starts a server that is down, and does not wait for it.
func (s *Server) Launch(tb testing.TB) {
	tb.Helper()
	if !s.down() {
		tb.Fatalf("zktest: launch %s: already up", s.Addr())
	}
	s.check(tb, "launch", s.launch())
}

// Await returns once the server serves clients; the test fails when that takes more than 30 s.
func (s *Server) Await(tb testing.TB) {
	tb.Helper()
	s.up(tb)
	s.check(tb, "await", s.await(serveBound))
}

// Wipe kills the server and removes all its data, sessions included; it stays down.
func (s *Server) Wipe(tb testing.TB) {
	tb.Helper()
	s.Kill(tb)
	s.check(tb, "wipe", errors.Join(os.RemoveAll(s.DataDir()), s.format()))
}

// format makes an empty data directory, which in a quorum knows its member's id.
func (s *Server) format() error {
	if err := os.Mkdir(s.DataDir(), 0o700); err != nil || s.id == 0 {
		return err
	}
	return os.WriteFile(filepath.Join(s.DataDir(), "myid"), []byte(strconv.Itoa(s.id)), 0o600)
}

// launch runs the JVM with what makes it start fast and stay small: one compiler, one collector
// thread.
func (s *Server) launch() error {
	cmd := exec.Command(s.install.java,
		"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
		"-cp", s.install.classPath,
		"org.apache.zookeeper.server.quorum.QuorumPeerMain", s.path("zoo.cfg"))
	process, err := launch(cmd, s.path("log"))
	if err == nil {
		s.process = process
	}
	return err
}

// await returns nil once srvr is answered with a mode, which a member without a quorum does not do.
func (s *Server) await(bound time.Duration) error {
	err := poll(bound, pollInterval, func() error {
		if s.process.exited() {
			return nil
		}
		return s.serves()
	})
	if s.process.exited() {
		return fmt.Errorf("%s %w:\n%s", s.Addr(), errExited, s.logTail())
	}
	return err
}

func (s *Server) serves() error {
	if _, err := s.mode(); err != nil || !s.tls {
		return err
	}
	conn, err := net.DialTimeout("tcp", s.SecureAddr(), answerBound)
	if err != nil {
		return err
	}
	return conn.Close()
}

// up returns the process, and ends the test when there is none.
func (s *Server) up(tb testing.TB) *process {
	tb.Helper()
	if s.down() {
		tb.Fatalf("zktest: %s is down", s.Addr())
	}
	return s.process
}

func (s *Server) check(tb testing.TB, what string, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("zktest: %s %s: %v", what, s.Addr(), err)
	}
}

func (s *Server) cleanup(tb testing.TB) {
	s.Kill(tb)
	if tb.Failed() {
		tb.Logf("zktest: end of the log of %s:\n%s", s.Addr(), s.logTail())
	}
}

func (s *Server) logTail() string {
	text, err := os.ReadFile(s.path("log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-logTail):], "\n")
}
