package matrix

import (
	"context"
	"flag"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/transport/transporttest"
)

var (
	runSteering  = flag.Bool("steering", false, "steer a fleet of twenty servers")
	steeringRate = flag.Int("steering.rate", 20,
		"requests a second of each of ten clients; 100 is the full size")
	steeringCalls = flag.Int("steering.calls", 2000,
		"calls by which a share is judged; 20000 is the full size")
	steeringEdit = flag.Int("steering.edits", 20,
		"edits by each of two operators; 200 is the full size")
)

const (
	steeredServers = 20
	drainTimeout   = 200 * time.Millisecond // from the command's return to the last call
	slowStart      = 10 * time.Second       // of a Pool, by default
)

// TestSteering has an operator steer a fleet under load, with the program that is made for it. At
// its full size it makes a thousand requests a second.
func TestSteering(t *testing.T) {
	if !*runSteering {
		t.Skip("takes a minute and a half: needs -steering")
	}
	s := newSteering(t)
	s.drain()
	s.undrain()
	s.withdraw()
	s.share()
	s.operators()
	s.wantNoneFailed("in the end")
	s.plain.wantNoneFailed(s)
	s.Logf("load average %s, late %v", loadAverage(), s.lateness.Worst())
}

// A steering is a fleet, and an operator. Its test drives it.
type steering struct {
	*testing.T
	*rig
	*tally
	target   sd.Target
	servers  []*child // the first alone has version 2
	lateness *wait.Lateness
	program  string // daytimecli
	plain    *plainClient
}

func newSteering(t *testing.T) *steering {
	s := &steering{T: t, rig: newRig(t, &report{}), tally: newTally(), lateness: wait.StartLateness()}
	t.Cleanup(func() { s.lateness.Stop() })
	s.program = filepath.Join(t.TempDir(), "daytimecli")
	build := exec.Command("go", "build", "-o", s.program, "example.com/daytime/cmd/daytimecli")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	s.target = sdtest.Target(t, targetText(s.Addrs(), "/steered", sessionTimeout))
	for i, instance := range transporttest.FreeAddresses(t, steeredServers) {
		s.servers = append(s.servers, s.launch(i, instance))
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	for range clientCount {
		c := s.client()
		running.Go(func() { c.runEvery(ctx, time.Second/time.Duration(*steeringRate)) })
	}
	s.plain = startPlainClient(s)
	t.Cleanup(s.plain.stop)
	return s
}

// launch starts the process of server i.
func (s *steering) launch(i int, instance string) *child {
	s.Helper()
	version := "1"
	if i == 0 {
		version = "2"
	}
	return startChild(s, roleServer, s.target.String(), instance, versionVariable+"="+version)
}

// client is one that follows the policy, and knows all servers.
func (s *steering) client(options ...sd.InstancerOption) *client {
	s.Helper()
	c, err := openClient(s.target, s.tally, append(options, sd.FollowPolicy())...)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(c.close)
	wait.For(s, 20*time.Second, func() error { return c.view.Is(s.instances()...) })
	return c
}

func (s *steering) instances() (list []string) {
	for _, c := range s.servers {
		list = append(list, c.instance)
	}
	return list
}

// command runs daytimecli, wants it to end well, and returns when it has and what it said.
func (s *steering) command(args ...string) (ended time.Time, said string) {
	s.Helper()
	out, err := s.run(args...)
	if err != nil {
		s.Fatalf("daytimecli %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return time.Now(), out
}

// run runs daytimecli.
func (s *steering) run(args ...string) (said string, err error) {
	cmd := exec.Command(s.program, append(args, "--sd", s.target.String())...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// slackNow is what a machine that wakes sleepers late adds to a bound.
func (s *steering) slackNow() time.Duration {
	if late := s.lateness.Recent(); late > 20*time.Millisecond {
		return 10 * late
	}
	return 0
}

// spared wants a server to have had no call since a moment, but within the time that clients have.
func (s *steering) spared(why, instance string, since time.Time) {
	s.Helper()
	bound := drainTimeout + s.slackNow()
	last := s.attempted(instance).Sub(since)
	if last > bound {
		s.Errorf("%s: want no call of %s later than %v, have one after %v", why, instance, bound, last)
	}
	s.Logf("%s: last call of %s %v after the command (0 or less: before it)", why, instance,
		short(max(last, 0)))
	s.wantNoneFailed(why)
}

func (s *steering) wantNoneFailed(why string) {
	s.Helper()
	if c := s.peek(); c.failed > 0 {
		s.Errorf("%s: want no call failed, have %d of %d, such as %v",
			why, c.failed, len(c.latencies), c.example)
	}
}
