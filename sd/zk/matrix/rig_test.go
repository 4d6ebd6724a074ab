package matrix

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/zktest"
)

const (
	serverCount    = 5
	clientCount    = 10
	sessionTimeout = 2 * time.Second
	tick           = 500 * time.Millisecond

	// slack is what a busy machine may add to any bound.
	slack = time.Second
	// lateBound is how late the machine may wake a sleeper in a row that is judged by its clock. A
	// session of 2 s is lost after 1.3 s without a ping that comes in time, and a call fails after 2
	// s, in which several processes wait for each other.
	lateBound = sessionTimeout / 10
)

// A rig is an ensemble, and another program that is connected to it directly.
type rig struct {
	*zktest.Ensemble
	report  *report
	admin   *gozk.Conn
	steered bool // fleets have a policy
	machine *wait.Lateness
}

func newRig(t testing.TB, report *report) *rig {
	t.Helper()
	r := newRigOn(t, zktest.StartEnsemble(t, 3), report)
	r.connect(t)
	return r
}

// newRigOn returns a rig that is not connected yet.
func newRigOn(t testing.TB, e *zktest.Ensemble, report *report) *rig {
	r := &rig{Ensemble: e, report: report, machine: wait.StartLateness()}
	t.Cleanup(func() { r.machine.Stop() })
	return r
}

// until waits for a check, longer than its limit if the machine is late.
func (r *rig) until(limit time.Duration, check func() error) (took time.Duration, err error) {
	return r.machine.Until(limit, lateBound, check)
}

// await is until that ends the test if what it waits for does not come.
func (r *rig) await(t testing.TB, limit time.Duration, check func() error) time.Duration {
	t.Helper()
	took, err := r.until(limit, check)
	if err != nil {
		t.Fatalf("after %v: %v", took, err)
	}
	return took
}

// connect gives the other program a new session. It needs one after the data was wiped:
// go-zookeeper does not recover from that.
func (r *rig) connect(t testing.TB) {
	t.Helper()
	r.admin = dialAdmin(t, r.Addrs())
}

func dialAdmin(t testing.TB, addrs []string) *gozk.Conn {
	t.Helper()
	conn, events, err := gozk.Connect(addrs, 10*time.Second, gozk.WithLogInfo(false),
		gozk.WithLogger(quiet{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		for range events {
		}
	})
	return conn
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// children lists a directory; one that is missing is empty.
func (r *rig) children(path string) ([]string, error) {
	names, _, err := r.admin.Children(path)
	if errors.Is(err, gozk.ErrNoNode) {
		return nil, nil
	}
	slices.Sort(names)
	return names, err
}

// usage is what a process holds.
type usage struct{ goroutines, descriptors int }

func currentUsage() usage {
	descriptors, _ := os.ReadDir("/proc/self/fd") // elsewhere they are not counted
	return usage{runtime.NumGoroutine(), len(descriptors)}
}

// settled wants usage back at before, give or take two, once what was closed has ended.
func settled(t testing.TB, before usage) {
	t.Helper()
	_, err := wait.Until(5*time.Second, func() error {
		have := currentUsage()
		if have.goroutines > before.goroutines+2 || have.descriptors > before.descriptors+2 {
			return fmt.Errorf("want %+v again, have %+v", before, have)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// say sends text to addr and returns everything that comes back.
func say(addr, text string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// targetText is the URL of a directory behind addrs.
func targetText(addrs []string, path string, timeout time.Duration) string {
	return fmt.Sprintf("zk://%s%s?session-timeout=%v", strings.Join(addrs, ","), path, timeout)
}
