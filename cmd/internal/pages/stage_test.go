//go:build unix

package pages

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/transport/transporttest"
)

// root is the directory of the repository.
const root = "../../.."

// bound is how long the commands of a block may take.
const bound = 2 * time.Minute

// zkCli is where Debian's package zookeeper has it.
const zkCli = "/usr/share/zookeeper/bin/zkCli.sh"

// ports are those of the pages, sorted. Each is another, free one in a test.
var ports = []string{"2181", "2281", "2379", "8080", "8896", "8897", "8898", "8899", "9867"}

// A stage is where the blocks of one section are run, one after the other: a directory, the built
// programs, and ports of its own. A block finds the files of those before it; the processes that it
// leaves behind are killed when it ends.
type stage struct {
	*testing.T
	bin, dir string
	env      []string
	swaps    map[string]string // what stands on the page, and what stands for it here
}

// newStage makes one. Nobody is at the ports yet.
func newStage(t *testing.T, bin string) *stage {
	t.Helper()
	s := &stage{T: t, bin: bin, dir: t.TempDir(), swaps: map[string]string{}}
	for i, own := range freePorts(t, len(ports)) {
		s.swaps[ports[i]] = own
	}
	own := func(port string) string { return "127.0.0.1:" + s.swaps[port] }
	path := strings.Join([]string{bin, filepath.Dir(zkCli), "/usr/sbin", os.Getenv("PATH")}, ":")
	s.env = append(os.Environ(), "PATH="+path,
		"DAYTIME_BY=ops", "DAYTIME_TIMEOUT=10s",
		"DAYTIME_LISTEN="+own("8897")+","+own("8898")+","+own("8899"),
		"TMPDIR="+t.TempDir(), "HOME="+s.dir, "GORACE=atexit_sleep_ms=1")
	s.registryAt(s.swaps["2181"])
	return s
}

// startRegistry has a ZooKeeper in memory in the place of the one at the port 2181.
func (s *stage) startRegistry() *zkdev.Server {
	s.Helper()
	registry, _ := shelltest.StartRegistry(s, false)
	_, port, _ := net.SplitHostPort(registry.Addr().String())
	s.registryAt(port)
	return registry
}

// freePorts are n ports that are free, in their order, so that a list has the order of the page.
func freePorts(t testing.TB, n int) (free []string) {
	t.Helper()
	for _, addr := range transporttest.FreeAddresses(t, n) {
		_, port, _ := net.SplitHostPort(addr)
		free = append(free, port)
	}
	slices.SortFunc(free, func(a, b string) int {
		return cmp.Or(len(a)-len(b), strings.Compare(a, b))
	})
	return free
}

// freePort has another port that is free stand for one of the pages.
func (s *stage) freePort(port string) {
	if s.swaps[port] = freePorts(s, 1)[0]; port == "2181" {
		s.registryAt(s.swaps[port])
	}
}

func (s *stage) registryAt(port string) {
	s.swaps["2181"] = port
	s.env = append(s.env, "DAYTIME_SD=zk://127.0.0.1:"+port+"/go_servers")
}

var (
	number   = regexp.MustCompile(`\b\d{4,5}\b`)
	ensemble = regexp.MustCompile(`zk://zk1(\.example\.com)?(,zk\d(\.example\.com)?)*/`)
)

// here is text with the ports and the registry of the stage.
func (s *stage) here(text string) string {
	text = ensemble.ReplaceAllString(text, "zk://127.0.0.1:2181/")
	return number.ReplaceAllStringFunc(text, func(port string) string {
		if own, found := s.swaps[port]; found {
			return own
		}
		return port
	})
}

// there is output as the page has it.
func (s *stage) there(output string) string {
	return number.ReplaceAllStringFunc(output, func(own string) string {
		for port, its := range s.swaps {
			if its == own {
				return port
			}
		}
		return own
	})
}

// bash runs a script to its end, kills what it leaves behind, and returns its output and how it
// ended.
func (s *stage) bash(script string) (output string, err error) {
	s.Helper()
	s.needs("")
	file, err := os.CreateTemp(s.dir, "output")
	if err != nil {
		s.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir, cmd.Env = s.dir, s.env
	cmd.Stdout, cmd.Stderr = file, file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	late := time.AfterFunc(bound, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	err = cmd.Wait()
	if !late.Stop() {
		err = fmt.Errorf("still running after %v", bound)
	}
	killGroup(cmd.Process.Pid)
	text, readErr := os.ReadFile(file.Name())
	if readErr != nil {
		s.Fatal(readErr)
	}
	return string(text), err
}

// killGroup kills a process group, and waits until it has given its ports back, which the next block
// may want: until nobody is left of it but, where nobody takes them, the dead.
func killGroup(group int) {
	for wait := range 20 {
		if errors.Is(syscall.Kill(-group, syscall.SIGKILL), syscall.ESRCH) {
			return
		}
		time.Sleep(time.Duration(wait) * time.Millisecond)
	}
}

// script runs a block of commands that all are to succeed.
func (s *stage) script(b Block) {
	s.Helper()
	if out, err := s.bash("set -e -x\n" + s.here(b.Text)); err != nil {
		s.Errorf("line %d: %v\n%s", b.Line, err, s.there(out))
	}
}

// The end of a command's output is a byte that no output has, and the exit code.
const mark = "\x1e"

var marked = regexp.MustCompile(mark + `(\d+)\n`)

// needs skips the section where a program that its commands use is not installed, and says so; with
// REQUIRE_PEERS=1 it fails.
func (s *stage) needs(commands string) {
	s.Helper()
	for program, debian := range map[string]string{
		"bash": "bash", "openssl": "openssl", "curl": "curl", "nc": "netcat-openbsd",
	} {
		if program == "bash" || regexp.MustCompile(`\b`+program+` `).MatchString(commands) {
			transporttest.Program(s, program, debian)
		}
	}
}

// transcript runs the commands of a terminal in one shell, and compares what they say. One may fail
// only where the next shows its exit code.
func (s *stage) transcript(b Block) {
	s.Helper()
	s.needs(b.Text)
	commands := Commands(b.Text)
	script := `end() { s=$?; printf '` + mark + `%d\n' $s; return $s; }` + "\n"
	for _, c := range commands {
		script += s.here(c.Text)
		if strings.HasSuffix(c.Text, "&\n") {
			script += registered(c.Text)
		}
		script += "end\n"
	}
	out, err := s.bash(script)
	ends := marked.FindAllStringSubmatchIndex(out, -1)
	if len(ends) != len(commands) {
		s.Fatalf("line %d: %v\n%s\n%s", b.Line, err, s.there(out), s.logs())
	}
	begin := 0
	for i, c := range commands {
		if err := Match(c.Output, s.there(out[begin:ends[i][0]])); err != nil {
			s.Errorf("line %d: $ %s%v\n%s", b.Line, c.Text, err, s.logs())
		}
		shown := i+1 < len(commands) && commands[i+1].Text == "echo $?\n"
		if code := out[ends[i][2]:ends[i][3]]; code != "0" && !shown {
			s.Errorf("line %d: $ %swant the exit code 0, have %s\n%s", b.Line, c.Text, code, s.logs())
		}
		begin = ends[i][1]
	}
}

var redirected = regexp.MustCompile(`2>(\S+) &`)

// registered waits until a server that was begun in the background has registered all that it
// serves, by its log.
func registered(command string) string {
	log := redirected.FindStringSubmatch(command)
	if log == nil {
		return ""
	}
	servers := 1
	if strings.Contains(command, "daytimesvc") {
		servers = 3
	}
	return fmt.Sprintf(`for _ in {1..600}; do
		[ "$(cat %s 2>&1 | grep -c msg=registered)" -lt %d ] || break
		sleep 0.1
	done`+"\n", log[1], servers)
}

// logs is what the programs of the stage have written beside their output.
func (s *stage) logs() (text string) {
	names, _ := filepath.Glob(filepath.Join(s.dir, "*.log"))
	slices.Sort(names)
	for _, name := range names {
		log, _ := os.ReadFile(name)
		text += filepath.Base(name) + ":\n" + string(log)
	}
	return text
}

// write makes a file of the stage.
func (s *stage) write(name, text string) (path string) {
	s.Helper()
	path = filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		s.Fatal(err)
	}
	return path
}
