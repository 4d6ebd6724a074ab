package matrix

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/policy"
)

// quiet waits until ZooKeeper serves, wants everybody to know the truth soon after, and that nobody
// has grown since the first quiet phase. No calls are made meanwhile.
func (s *soak) quiet() {
	s.Helper()
	s.ensemble.Await(s)
	s.disturb()
	running := s.settle()
	began := time.Now()
	var err error
	for limit := quietBound; ; limit = time.Minute {
		if _, err = wait.Until(limit-time.Since(began),
			func() error { return s.agreed(running) }); err == nil {
			break
		}
		if s.lateness.Recent() <= soakLate || limit > quietBound {
			s.Fatalf("quiet for %v: %v", time.Since(began), err)
		}
	}
	took := time.Since(began)
	s.worst = max(s.worst, took)
	s.calling.Lock()
	have := s.footprint()
	s.calling.Unlock()
	s.note("quiet: the truth is known after %v, late %v; %v", short(took), short(s.lateness.Recent()),
		have)
	if s.first == nil {
		s.first = &have
	} else if err := s.first.grown(have); err != nil {
		s.Errorf("after %d faults: %v", s.faults, err)
	}
	if err := s.err(); err != nil {
		s.Fatal(err) // with what was done just before it
	}
}

// settle waits for steps that are under way, and returns who runs.
func (s *soak) settle() (running []policy.Entry) {
	s.Helper()
	for _, server := range s.servers {
		child, err := server.settled()
		if err != nil {
			s.Fatalf("%v\nit said:\n%s", err, server.output)
		}
		if child == nil {
			continue
		}
		running = append(running, policy.Entry{
			Instance:   server.instance,
			Attributes: policy.Attributes{Tags: map[string]string{"version": server.version}},
		})
	}
	slices.SortFunc(running, func(a, b policy.Entry) int {
		return cmp.Compare(a.Instance, b.Instance)
	})
	return running
}

// agreed returns an error unless ZooKeeper, every client, every pool and every watcher say the
// same: what follows from who runs and the policy.
func (s *soak) agreed(running []policy.Entry) error {
	names, document, err := readDirectory(s.ensemble.Addrs(), "/soak")
	if err != nil {
		return err
	}
	if document != s.document && !s.unsure {
		return fmt.Errorf("policy: want %q, which was written last, have %q", s.document, document)
	}
	want, err := truthOf(running, document)
	if err != nil {
		return err
	}
	err = equal("registered", want.listed, names)
	for _, c := range s.clients {
		if wrong := c.shows(want); wrong != nil {
			err = errors.Join(err, fmt.Errorf("client %s: %w", c.name, wrong))
		}
	}
	for n, w := range s.watchers {
		if wrong := w.shows(want); wrong != nil {
			err = errors.Join(err, fmt.Errorf("watcher %d: %w", n, wrong))
		}
	}
	return err
}

// readDirectory reads a directory over a connection of its own, which ends.
func readDirectory(addrs []string, path string) (names []string, document string, err error) {
	conn, events, err := gozk.Connect(addrs, sessionTimeout, gozk.WithLogInfo(false),
		gozk.WithLogger(quiet{}))
	if err != nil {
		return nil, "", err
	}
	defer func() {
		conn.Close()
		for range events {
		}
	}()
	if names, _, err = conn.Children(path); err != nil {
		return nil, "", err
	}
	slices.Sort(names)
	data, _, err := conn.Get(path)
	return names, string(data), err
}

// How much more than at the first quiet phase is held. A session that is about to be replaced, or a
// collection that has not come, are no leak; what grows with each fault is beyond this after some
// dozens.
const (
	moreGoroutines  = 12
	moreDescriptors = 12
	moreHeap        = 8 << 20
	moreResident    = 32 << 20 // of a server, on average
)

// A footprint is what this process holds, and what the servers hold.
type footprint struct {
	usage
	heap        int64 // bytes in use
	descriptors int   // of the server that has most
	resident    int64 // bytes, of a server on average
}

func (f footprint) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d KB heap; "+
		"servers: %d descriptors at most, %d KB resident",
		f.goroutines, f.usage.descriptors, f.heap>>10, f.descriptors, f.resident>>10)
}

// grown returns an error if have is more than f and what may come on top.
func (f footprint) grown(have footprint) error {
	if have.goroutines > f.goroutines+moreGoroutines ||
		have.usage.descriptors > f.usage.descriptors+moreDescriptors ||
		have.heap > f.heap+moreHeap ||
		have.descriptors > f.descriptors+moreDescriptors ||
		have.resident > f.resident+moreResident {
		return fmt.Errorf("want no more than at first: %v; have %v", f, have)
	}
	return nil
}

// footprint is taken once what was closed has had time to end.
func (s *soak) footprint() (f footprint) {
	s.Helper()
	wait.Until(5*time.Second, func() error { // what ends by itself
		f.usage = currentUsage()
		if s.first == nil {
			return nil
		}
		return s.first.grown(footprint{usage: f.usage})
	})
	runtime.GC()
	f.heap = int64(heap())
	running := int64(0)
	for _, server := range s.servers {
		child, _, _ := server.state()
		if child == nil {
			continue
		}
		running++
		proc := "/proc/" + strconv.Itoa(child.cmd.Process.Pid)
		open, _ := os.ReadDir(proc + "/fd") // elsewhere they are not counted
		f.descriptors = max(f.descriptors, len(open))
		f.resident += residentOf(proc)
	}
	f.resident /= max(running, 1)
	return f
}

// residentOf is the memory of a process, in bytes (proc(5)); 0 where it is not told.
func residentOf(proc string) int64 {
	text, err := os.ReadFile(proc + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kilobytes, _ := strconv.ParseInt(fields[0], 10, 64)
	return kilobytes << 10
}
