package matrix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"
	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/endpoint"
	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zktest"
	"example.com/daytime/transport"
)

// TestLimits are the rows about shortage, quantity and wrong configuration.
func TestLimits(t *testing.T) {
	needAll(t)
	r := newRig(t, &report{})
	f := newFleet(t, r, "limits", plan{})
	t.Run("F22", func(t *testing.T) { refusedRows(t, r) })
	t.Run("F23", func(t *testing.T) { killedSocketsRow(f) })
	t.Run("F29", func(t *testing.T) { hugeRow(f) })
	t.Run("F30", func(t *testing.T) { churnRow(t, r) })
	t.Run("F34", func(t *testing.T) { idleRow(f) })
	t.Run("F38", func(t *testing.T) { twiceRow(f) })
	t.Run("F41", func(t *testing.T) { nameRow(t, r) })
	t.Run("F42", func(t *testing.T) { panicRow(f) })
	t.Run("F43", func(t *testing.T) { deniedRow(t, r) })
	t.Run("processes", func(t *testing.T) { starvedRows(t, r) })
	t.Run("F31", func(t *testing.T) { slowDiskRow(t, r.report) })
	t.Run("F32", func(t *testing.T) { fullDiskRow(t, r.report) })
	t.Logf("load average %s\n%s", loadAverage(), r.report.table())
}

// pace bounds the dials of I10, over ten seconds of a fault.
const paceTime = 10 * time.Second

// refusedRows are F22: a server that hangs up at once, and one that hangs up on each session.
func refusedRows(t *testing.T, r *rig) {
	single := zktest.Start(t, zktest.Config("maxClientCnxns=1"))
	guest := dialAdmin(t, []string{single.Addr()})
	wait.For(t, 5*time.Second, func() error { _, _, err := guest.Exists("/"); return err })
	r.pace(t, "ZooKeeper hangs up: maxClientCnxns=1", []string{single.Addr()}, 0)
	r.pace(t, "each session is cut at its first request", r.Addrs(), 1<<20)
}

// pace counts the dials of one backend.
func (r *rig) pace(t *testing.T, fault string, addrs []string, breaks int) {
	t.Helper()
	target := sdtest.Target(t, targetText(addrs, "/pace", sessionTimeout))
	tap := newTap()
	tap.breakNext(breaks)
	backend, err := zk.OpenBackend(target, zk.Dial(tap.dial))
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Close()
	instancer := sd.NewInstancer(backend, kitlog.NewNopLogger())
	defer instancer.Stop()
	hold(paceTime)
	n := tap.dialled()
	if want := atOnce + int(2*paceTime.Seconds()); n > want || n == 0 {
		t.Errorf("F22: %s: want at most %d dials in %v, and some, have %d", fault, want, paceTime, n)
	}
	r.report.add(line{id: "F22", fault: fault, dials: n})
}

// killedSocketsRow is F23: the kernel destroys every socket of ours to ZooKeeper.
func killedSocketsRow(f *fleet) {
	ss, err := exec.LookPath("ss")
	if err != nil || os.Geteuid() != 0 {
		f.Log("F23 left out: needs ss and root")
		return
	}
	f.row("F23", "ss -K every 500 ms for 20 s", func(r *row) {
		for range 40 {
			for _, p := range r.proxies {
				_, port, _ := net.SplitHostPort(p.Addr())
				if out, err := exec.Command(ss, "-K", "dport", "=", port).CombinedOutput(); err != nil {
					r.Fatalf("ss: %v: %s", err, out)
				}
			}
			hold(500 * time.Millisecond)
		}
		r.converged = r.connected(back, anywhere)
		r.owned(back)
		r.agree(slack, r.instances()...)
	})
}

// hugeRow is F29: a list that takes its time.
func hugeRow(f *fleet) {
	const count = 50_000
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("garbage-%d", i)
	}
	f.row("F29", fmt.Sprintf("%d nodes, then a reconnect", count), func(r *row) {
		r.mayFail = true // ten copies of the list in this process take its time from the requests
		r.inBatches(names, func(path string) any {
			return &gozk.CreateRequest{Path: path, Acl: gozk.WorldACL(gozk.PermAll)}
		})
		r.agree(10*time.Second, r.instances()...)
		before := r.listed()
		begun := time.Now()
		r.reset(back, anywhere, r.proxies...)
		wait.For(r, 20*time.Second, func() error { // lists are spread out in time
			for i, c := range r.clients {
				if s := c.view.State(); s.Phase != sd.Live {
					return fmt.Errorf("client %d: %v", i, s)
				}
			}
			return nil
		})
		r.converged = time.Since(begun)
		if n := r.listed() - before; n > int64(3*len(r.clients)) {
			r.Errorf("want at most three lists of each client, have %d", n)
		}
		r.inBatches(names, func(path string) any { return &gozk.DeleteRequest{Path: path, Version: -1} })
		r.agree(10*time.Second, r.instances()...)
	})
}

// churnRow is F30. The instances are addresses of one server that listens on all of 127.0.0.0/8;
// afterwards it is gone, as those are that leave in an orderly way.
func churnRow(t *testing.T, r *rig) {
	f := newFleet(t, r, "churn", plan{})
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		f.Fatal(err)
	}
	s := transport.NewServer(func(context.Context, any) (any,
		error) {
		return endpoint.DaytimeResponse{Reply: "now"}, nil
	}, nil, reply)
	go s.Serve(listener)
	port := listener.Addr().(*net.TCPAddr).Port
	f.row("F30", "200 joins and 200 leaves a second for 20 s", func(r *row) {
		r.churn(port)
		r.converged = r.agree(5*time.Second, r.instances()...)
		if n := r.listed() - r.lists; n > int64(len(r.clients)*20*10) { // I11
			r.Errorf("want at most 10 lists a second of each client, have %d", n)
		}
	})
	f.row("F30", "all of those that left are gone, for 5 s", func(r *row) {
		if err := s.Shutdown(context.Background()); err != nil {
			r.Error(err)
		}
		hold(5 * time.Second)
	})
}

// churn adds an instance every 5 ms, each for half a second.
func (r *row) churn(port int) {
	r.Helper()
	const joins, there = 4000, 100
	name := func(n int) string { return fmt.Sprintf("127.1.%d.%d:%d", n/250, n%250+1, port) }
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	var behind time.Duration
	for n := range joins + there {
		<-ticker.C
		if n < joins {
			r.put(name(n))
		}
		if n < joins && n%100 == 0 {
			behind = max(behind, wait.For(r, 5*time.Second, func() error { return r.allKnow(name(n)) }))
		}
		if n >= there {
			r.remove(name(n - there))
		}
	}
	r.note("worst propagation %v", short(behind))
}

func reply(_ context.Context, w io.Writer, response any) error {
	return transport.WriteLine(w, response.(endpoint.DaytimeResponse).Reply)
}

// allKnow wants name on every client's list.
func (f *fleet) allKnow(name string) error {
	for i, c := range f.clients {
		if !c.view.Has(name) {
			return fmt.Errorf("client %d does not know %s", i, name)
		}
	}
	return nil
}

// idleRow is F34: connections that stay, and senders that trickle.
func idleRow(f *fleet) {
	f.row("F34", "2000 idle connections to one server, for 5 s", func(r *row) {
		var conns []net.Conn
		defer func() {
			for _, c := range conns {
				c.Close()
			}
		}()
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end) && len(conns) < 2000; {
			conn, err := net.Dial("tcp", r.servers[0].instance)
			if err != nil {
				r.Fatal(err)
			}
			conns = append(conns, conn)
		}
		hold(time.Second) // the server has let go of them
		conns[0].SetReadDeadline(time.Now().Add(time.Second))
		var rest [512]byte
		for {
			if _, err := conns[0].Read(rest[:]); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					r.Error("want an idle connection ended by the server")
				}
				break
			}
		}
	})
}
