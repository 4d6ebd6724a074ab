package etcdtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const (
	serveBound  = 30 * time.Second       // for a busy machine; a second is usual
	stopBound   = 5 * time.Second        // until a signal has its effect
	answerBound = 500 * time.Millisecond // for one look at a member
	logTail     = 30                     // lines shown when a test fails
	installHint = "apt-get install etcd-server"
)

// errExited is of a member that ended by itself, as one does whose port is taken.
var errExited = errors.New("exited before it served")

// A Member is one etcd, up or down. It is driven by one goroutine at a time; Addr and PID may be
// used from any.
type Member struct {
	name    string
	dir     string
	client  int // ports
	metrics int
	args    []string
	scheme  string
	process atomic.Pointer[process] // the last one; nil before the first
	peer    *forwarder
}

// Addr is where clients connect, the same after a restart.
func (m *Member) Addr() string { return loopback(m.client) }

// PID is the id of the process; 0 while the member is down.
func (m *Member) PID() int {
	if m.down() {
		return 0
	}
	return m.process.Load().pid()
}

func (m *Member) down() bool {
	p := m.process.Load()
	return p == nil || p.exited()
}

// Kill ends the member as kill -9 does. One that is down is left so.
func (m *Member) Kill(tb testing.TB) {
	tb.Helper()
	if !m.down() {
		m.check(tb, "kill", m.process.Load().kill())
	}
}

// Stop asks the member to end, as an init system does, and waits for it.
func (m *Member) Stop(tb testing.TB) {
	tb.Helper()
	if m.down() {
		return
	}
	m.check(tb, "stop", m.process.Load().cmd.Process.Signal(sigterm))
	select {
	case <-m.process.Load().done:
	case <-time.After(stopBound):
		m.Kill(tb)
	}
}

// Freeze stops the member's execution: connections stay open, and nobody answers.
func (m *Member) Freeze(tb testing.TB) {
	tb.Helper()
	m.check(tb, "freeze", m.up(tb).freeze())
}

// Thaw continues a frozen member.
func (m *Member) Thaw(tb testing.TB) {
	tb.Helper()
	m.check(tb, "thaw", m.up(tb).thaw())
}

// Restart kills the member when it is up, starts it on the same data and ports, and returns once it
// serves, for which its cluster must have a quorum.
func (m *Member) Restart(tb testing.TB) {
	tb.Helper()
	m.Kill(tb)
	m.Launch(tb)
	m.Await(tb)
}

// Launch starts a member that is down, and does not wait for it.
func (m *Member) Launch(tb testing.TB) {
	tb.Helper()
	if !m.down() {
		tb.Fatalf("etcdtest: launch %s: already up", m.Addr())
	}
	m.check(tb, "launch", m.launch())
}

// Await returns once the member serves clients, which it does not without a quorum.
func (m *Member) Await(tb testing.TB) {
	tb.Helper()
	m.up(tb)
	m.check(tb, "await", m.await())
}

// Wipe kills the member and removes its data; it stays down.
func (m *Member) Wipe(tb testing.TB) {
	tb.Helper()
	m.Kill(tb)
	m.check(tb, "wipe", os.RemoveAll(m.path("data")))
}

func (m *Member) path(name string) string { return filepath.Join(m.dir, name) }

func (m *Member) launch() error {
	process, err := launch(exec.Command("etcd", m.args...), m.path("log"))
	if err == nil {
		m.process.Store(process)
	}
	return err
}

// await returns nil once the member finds itself healthy.
func (m *Member) await() error {
	err := poll(serveBound, func() error {
		if m.process.Load().exited() {
			return nil
		}
		text, err := m.get("/health")
		if err == nil && !strings.Contains(text, `"true"`) {
			err = fmt.Errorf("health: %.200s", text)
		}
		return err
	})
	if m.process.Load().exited() {
		return fmt.Errorf("%s %w:\n%s", m.Addr(), errExited, m.logTail())
	}
	return err
}

func (m *Member) metricsURL() string { return "http://" + loopback(m.metrics) }

// leads reports whether the member says that it is the leader.
func (m *Member) leads() bool {
	text, err := m.get("/metrics")
	return err == nil && strings.Contains(text, "\netcd_server_is_leader 1\n")
}

// get asks the member's port for metrics, which is in clear text.
func (m *Member) get(path string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), answerBound)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.metricsURL()+path, nil)
	if err != nil {
		return "", err
	}
	request.Close = true // no connection is left behind
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// up returns the process, and ends the test when there is none.
func (m *Member) up(tb testing.TB) *process {
	tb.Helper()
	if m.down() {
		tb.Fatalf("etcdtest: %s is down", m.Addr())
	}
	return m.process.Load()
}

func (m *Member) check(tb testing.TB, what string, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("etcdtest: %s %s: %v", what, m.Addr(), err)
	}
}

func (m *Member) cleanup(tb testing.TB) {
	m.Kill(tb)
	m.peer.close()
	if tb.Failed() {
		tb.Logf("etcdtest: end of the log of %s:\n%s", m.Addr(), m.logTail())
	}
}

func (m *Member) logTail() string {
	text, err := os.ReadFile(m.path("log"))
	if err != nil {
		return err.Error()
	}
	lines := slices.DeleteFunc(strings.Split(strings.TrimRight(string(text), "\n"), "\n"),
		func(line string) bool { return strings.Contains(line, "/health error") }) // await asked
	return strings.Join(lines[max(0, len(lines)-logTail):], "\n")
}
