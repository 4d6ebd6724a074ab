package zkdev

import (
	"os/exec"
	"strings"
	"testing"

	"example.com/daytime/sd/internal/wait"
)

const zkCli = "/usr/share/zookeeper/bin/zkCli.sh"

// TestZkCli drives Debian's command line client, commands on its standard input as an operator
// would type them.
func TestZkCli(t *testing.T) {
	needs(t, zkCli)
	s, err := Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cmd := exec.Command(zkCli, "-server", s.Addr().String())
	cmd.Stdin = strings.NewReader(strings.Join([]string{
		"create /go_servers", "create /go_servers/deep below",
		"create -e /go_servers/127.0.0.1:8897 here", "ls /go_servers",
		"get -s /go_servers/127.0.0.1:8897", "stat /go_servers", "create -s /go_servers/n-",
		"set /go_servers/deep new",
		"get /go_servers/deep", "getAcl /go_servers", "addauth digest bob:secret",
		"ls -R /go_servers",
		"deleteall /go_servers", "ls /", "get /missing", "quit", "",
	}, "\n"))
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(string(out), "Node does not exist") {
		t.Fatalf("zkCli.sh: %v\n%s", err, out)
	}
	for _, want := range []string{
		"[127.0.0.1:8897, deep]", "here", "ephemeralOwner = 0x", "cversion = 2", "numChildren = 2",
		"dataLength = 4",
		"Created /go_servers/n-0000000002", "new", "'world,'anyone", "/go_servers/deep",
		"[zookeeper]", "Node does not exist: /missing",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("zkCli.sh did not print %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
	wait.True(t, "the session is closed", func() bool { return len(s.Sessions()) == 0 })
}
