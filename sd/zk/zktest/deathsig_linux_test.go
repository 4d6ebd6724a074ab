package zktest_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/zktest"
)

// TestServerDiesWithTheTestBinary runs this test in a second process, which starts a server and
// says where, and kills that process: none of its cleanups run.
func TestServerDiesWithTheTestBinary(t *testing.T) {
	if os.Getenv("ZKTEST_VICTIM") != "" {
		os.Stdout.WriteString("addr=" + zktest.Start(t).Addr() + "\n")
		select {}
	}
	zktest.Need(t)
	victim := exec.Command(os.Args[0], "-test.run=^TestServerDiesWithTheTestBinary$")
	victim.Env = append(os.Environ(), "ZKTEST_VICTIM=1")
	stdout, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	addr := ""
	for lines := bufio.NewScanner(stdout); addr == "" && lines.Scan(); {
		_, addr, _ = strings.Cut(lines.Text(), "addr=")
	}
	accepts := func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	alive := addr != "" && accepts()
	victim.Process.Kill()
	victim.Wait()
	if !alive {
		t.Fatalf("no server at %q", addr)
	}
	wait.True(t, "death of the server", func() bool { return !accepts() })
}
