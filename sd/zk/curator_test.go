package zk_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zktest"
	"example.com/daytime/transport/transporttest"
)

// javaDir is where Debian keeps the jars that Curator's x-discovery needs
// (libcurator-discovery-java).
const javaDir = "/usr/share/java"

var curatorJars = []string{
	"curator-x-discovery", "curator-recipes", "curator-framework", "curator-client",
	"jackson-databind", "jackson-core", "jackson-annotations", "guava", "zookeeper", "slf4j-simple",
}

// curatorProgram is a program of testdata, which java compiles. Its errors are shown if the test
// fails.
func curatorProgram(t *testing.T, file string, args ...string) *exec.Cmd {
	t.Helper()
	transporttest.Program(t, "javac", "default-jdk-headless")
	java := transporttest.Program(t, "java", "default-jdk-headless")
	var classPath []string
	for _, jar := range curatorJars {
		jar = filepath.Join(javaDir, jar+".jar")
		classPath = append(classPath, transporttest.File(t, jar, "libcurator-discovery-java"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	command := exec.CommandContext(ctx, java, slices.Concat([]string{
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", strings.Join(classPath, ":"), "testdata/" + file,
	}, args)...)
	var log lockedBuffer
	command.Stderr = &log
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return command
}

// Curator's x-discovery finds each server as an instance of a service that is called like the
// directory.
func TestCuratorFindsServers(t *testing.T) {
	curatorProgram(t, "Query.java") // or the test is skipped
	addr := registerForPeers(t, "/services/go_servers")
	out, err := curatorProgram(t, "Query.java", addr, "/services", "go_servers").Output()
	if err != nil {
		t.Fatal(err)
	}
	have := strings.Split(strings.TrimSpace(string(out)), "\n")
	want := []string{"127.0.0.1:18897 127.0.0.1 18897", "[2001:db8::1]:13 2001:db8::1 13"}
	slices.Sort(have)
	if !slices.Equal(want, have) {
		t.Errorf("want %q, have %q", want, have)
	}
}

// A curatorServer is a process that registers instances by Curator's x-discovery.
type curatorServer struct {
	t       *testing.T
	command *exec.Cmd
	in      io.Writer
	out     *bufio.Reader
}

func startCurator(t *testing.T, addr string) *curatorServer {
	command := curatorProgram(t, "Register.java", addr, "/services", "time")
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	s := &curatorServer{t, command, in, bufio.NewReader(out)}
	t.Cleanup(s.kill)
	return s
}

// do has the server carry out a command: its verb, an id, an address, a port, a weight.
func (s *curatorServer) do(command string) {
	s.t.Helper()
	fmt.Fprintln(s.in, command)
	if line, err := s.out.ReadString('\n'); err != nil {
		s.t.Fatalf("%s: %q, %v", command, line, err)
	}
}

// kill is kill -9.
func (s *curatorServer) kill() {
	s.command.Process.Kill()
	s.command.Wait()
}

// Servers that Curator registers are followed through joins, updates, a restart under another id, a
// departure, and a crash.
func TestCuratorsServersAreFollowed(t *testing.T) {
	curatorProgram(t, "Register.java") // or the test is skipped
	server := zktest.Start(t)
	b, err := zk.OpenBackend(sdtest.Target(t, "zk://"+server.Addr()+"/services/time?layout=curator"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	i := sdtest.View(t, b, sd.FollowPolicy())
	shows := func(want ...string) {
		t.Helper()
		wait.For(t, 20*time.Second, func() error {
			var have []string
			for _, e := range i.Entries() {
				have = append(have, fmt.Sprintf("%s %d", e.Instance, e.Attributes.EffectiveWeight()))
			}
			return sdtest.Same("instances", want, have)
		})
	}
	one, two := startCurator(t, server.Addr()), startCurator(t, server.Addr())
	one.do("register a 192.0.2.1 80 50")
	two.do("register b 192.0.2.2 80 100")
	shows("192.0.2.1:80 50", "192.0.2.2:80 100")
	if have := i.Entries()[0].Attributes; have.Tags["version"] != "2.1" || time.Since(have.Since) > time.Minute {
		t.Errorf("want its version and since when, have %+v", have)
	}
	one.do("update a 192.0.2.1 81 7")
	shows("192.0.2.1:81 7", "192.0.2.2:80 100")
	one.do("disable a 192.0.2.1 81 7")
	shows("192.0.2.2:80 100")
	one.do("update a 192.0.2.1 81 7")
	shows("192.0.2.1:81 7", "192.0.2.2:80 100")
	one.do("register b2 192.0.2.2 80 30")
	shows("192.0.2.1:81 7", "192.0.2.2:80 30")
	two.do("unregister b 192.0.2.2 80 100")
	one.do("register c 192.0.2.3 80 1")
	shows("192.0.2.1:81 7", "192.0.2.2:80 30", "192.0.2.3:80 1")
	two.do("register d 192.0.2.4 80 1")
	shows("192.0.2.1:81 7", "192.0.2.2:80 30", "192.0.2.3:80 1", "192.0.2.4:80 1")
	one.kill()
	shows("192.0.2.4:80 1")
	if i.Rejected() != 0 {
		t.Errorf("left out: want none, have %d, %q", i.Rejected(), i.Strangers())
	}
}
