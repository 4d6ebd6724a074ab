package matrix

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/policy"
)

// drain drains a server, and has it, ZooKeeper and a client go through what might end that.
func (s *steering) drain() {
	s.Helper()
	const one = steeredServers - 1
	instance := s.servers[one].instance
	since, said := s.command("drain", instance, "--by", "ops")
	if !strings.Contains(said, "affects 1 of 20 instances") {
		s.Errorf("want to be told that it affects 1 of 20 instances, have %q", said)
	}
	hold(2 * time.Second)
	s.spared("drained", instance, since)
	s.plain.wantAnswers(s, instance)
	file := s.snapshot()

	before := s.owner(instance)
	s.servers[one].kill()
	s.servers[one] = s.launch(one, instance)
	s.reregistered(instance, before)
	s.spared("killed and restarted", instance, since)

	before = s.owner(instance)
	s.servers[one].signal(s, syscall.SIGSTOP)
	hold(sessionTimeout + 2*tick)
	s.servers[one].signal(s, syscall.SIGCONT)
	s.reregistered(instance, before)
	s.spared("its session expired", instance, since)

	s.Kill(s)
	s.cold(file, instance)
	for _, member := range s.Servers() {
		member.Launch(s)
	}
	s.Await(s)
	wait.For(s, 20*time.Second, func() error { _, err := s.children("/steered"); return err })
	hold(2 * time.Second)
	s.spared("ZooKeeper restarted", instance, since)
}

// owner is the session of a server's node.
func (s *steering) owner(instance string) (session int64) {
	s.Helper()
	wait.For(s, 10*time.Second, func() error {
		there, stat, err := s.admin.Exists("/steered/" + instance)
		if err == nil && !there {
			err = fmt.Errorf("%s is not registered", instance)
		}
		if err == nil {
			session = stat.EphemeralOwner
		}
		return err
	})
	return session
}

// reregistered waits until a server has a node of another session than before, and a moment more.
func (s *steering) reregistered(instance string, before int64) {
	s.Helper()
	wait.For(s, 20*time.Second, func() error {
		if s.owner(instance) == before {
			return fmt.Errorf("%s is not registered again", instance)
		}
		return nil
	})
	hold(time.Second)
}

// snapshot returns the file of a client that knew the fleet, and has ended.
func (s *steering) snapshot() (file string) {
	s.Helper()
	file = filepath.Join(s.TempDir(), "snapshot")
	s.client(sd.Snapshot(file, s.target)).close()
	return file
}

// cold starts a client from a snapshot while ZooKeeper is down. It calls everybody but who was
// drained when the snapshot was made.
func (s *steering) cold(file, drained string) {
	s.Helper()
	own := newTally()
	c, err := openClient(s.target, own, sd.Snapshot(file, s.target), sd.FollowPolicy())
	if err != nil {
		s.Fatal(err)
	}
	defer c.close()
	const calls = 50 * steeredServers
	for range calls {
		if err := c.ask(5 * time.Second); err != nil {
			s.Errorf("cold start: want an answer, have %v", err)
		}
	}
	if n := own.swap().begun; n[drained] > 0 || len(n) < steeredServers-1 {
		s.Errorf("cold start: want all but %s called in %d calls, have %v", drained, calls, n)
	}
}

// undrain has the server back at its share once slow start is over.
func (s *steering) undrain() {
	s.Helper()
	instance := s.servers[steeredServers-1].instance
	s.command("undrain", instance)
	hold(slowStart)
	s.wantShare("undrained", 1./steeredServers, instance)
}

// wantShare waits for so many calls as are asked for, and wants a server to have its part of them,
// within 4.2 standard deviations: 0.9 % of 20,000 calls, where the part is a tenth.
func (s *steering) wantShare(why string, want float64, instance string) {
	s.Helper()
	s.swap() // what has failed so far is in the log already
	wait.For(s, 10*time.Minute, func() error {
		if n := s.requests(); n < *steeringCalls {
			return fmt.Errorf("%d of %d calls", n, *steeringCalls)
		}
		return nil
	})
	c := s.swap()
	n := float64(len(c.latencies))
	have, bound := float64(c.answered[instance])/n, 4.2*math.Sqrt(want*(1-want)/n)
	s.Logf("%s: %.2f %% of %.0f calls", why, 100*have, n)
	if math.Abs(have-want) > bound {
		s.Errorf("%s: want %.1f %% ± %.2f of the calls at %s, have %.2f of %.0f",
			why, 100*want, 100*bound, instance, 100*have, n)
	}
	if c.failed > 0 {
		s.Errorf("%s: want no call failed, have %d, such as %v", why, c.failed, c.example)
	}
}

// withdraw has also clients obey that know no policy, and the server go on serving.
func (s *steering) withdraw() {
	s.Helper()
	instance := s.servers[steeredServers-1].instance
	since, _ := s.command("withdraw", instance, "--by", "ops")
	wait.For(s, 5*time.Second, func() error {
		if there, _, err := s.admin.Exists("/steered/" + instance); there || err != nil {
			return fmt.Errorf("want %s withdrawn, have it there, %v", instance, err)
		}
		return nil
	})
	hold(time.Second)
	s.spared("withdrawn", instance, since)
	s.plain.wantNone(s, instance)
	if answer, err := say(instance, ""); err != nil || answer == "" {
		s.Errorf("want %s to serve on, have %q, %v", instance, answer, err)
	}
	s.command("undrain", instance)
	s.owner(instance)
	s.plain.wantAnswers(s, instance)
}

// share splits the calls by version, and takes the one server of version 2 away.
func (s *steering) share() {
	s.Helper()
	file := filepath.Join(s.TempDir(), "policy")
	text := policy.Header + "\nshare version=2 10%\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
	s.command("policy", "apply", file)
	hold(time.Second)
	first := s.servers[0]
	s.wantShare("share version=2 10%", 0.1, first.instance)
	first.kill()
	hold(time.Second)
	s.wantShare("its only server killed", 0, first.instance)
}

// operators has two of them write at the same time.
func (s *steering) operators() {
	s.Helper()
	var writing sync.WaitGroup
	for operator := range 2 {
		writing.Go(func() {
			for n := range *steeringEdit {
				selector := fmt.Sprintf("198.51.%d.%d", 100+operator, n+1)
				if out, err := s.run("drain", selector, "--by", "ops"); err != nil {
					s.Errorf("drain %s: %v\n%s", selector, err, out)
				}
			}
		})
	}
	writing.Wait()
	_, text := s.command("policy", "get")
	if have, want := strings.Count(text, "\ndrain "), 2**steeringEdit; have != want {
		s.Errorf("want %d lines of two operators, have %d", want, have)
	}
}
