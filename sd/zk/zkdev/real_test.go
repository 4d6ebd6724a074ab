package zkdev

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const jar = "/usr/share/java/zookeeper.jar"

// needs skips a test that a machine cannot run, and fails it where that is not allowed.
func needs(t *testing.T, file string) {
	t.Helper()
	if _, err := os.Stat(file); err == nil {
		return
	}
	if os.Getenv("REQUIRE_ZOOKEEPER") == "1" {
		t.Fatalf("%s is missing and REQUIRE_ZOOKEEPER=1: apt-get install zookeeper", file)
	}
	t.Skipf("%s is missing: apt-get install zookeeper", file)
}

// realServer starts a ZooKeeper with an empty tree for one test and returns its address. TTL nodes
// are switched on; settings are more of Java's properties (-D), or lines of the configuration.
func realServer(t *testing.T, settings ...string) string {
	t.Helper()
	needs(t, jar)
	dir := t.TempDir()
	addr := freeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	config := filepath.Join(dir, "zoo.cfg")
	text := fmt.Sprintf("tickTime=500\ndataDir=%s\nclientPort=%s\n"+
		"clientPortAddress=127.0.0.1\nadmin.enableServer=false\n"+
		"maxClientCnxns=0\n4lw.commands.whitelist=*\n", filepath.Join(dir, "data"), port)
	args := []string{"-Xmx128m", "-Dzookeeper.extendedTypesEnabled=true"}
	for _, setting := range settings {
		if strings.HasPrefix(setting, "-D") {
			args = append(args, setting)
			continue
		}
		text += setting + "\n"
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append(args, "-cp", "/etc/zookeeper/conf:"+jar,
		"org.apache.zookeeper.server.ZooKeeperServerMain", config)
	cmd := exec.Command("java", args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	deadline := time.Now().Add(20 * time.Second)
	for !strings.Contains(word(addr, "srvr"), "Mode: standalone") { // ruok is answered too early
		if time.Now().After(deadline) {
			t.Fatal("ZooKeeper did not start within 20 s")
		}
		time.Sleep(50 * time.Millisecond)
	}
	return addr
}

func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// word asks a four letter word and returns "" when nobody is there.
func word(addr, w string) string {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return ""
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(nc, w)
	answer, _ := io.ReadAll(nc)
	return string(answer)
}
