package zktest_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"example.com/daytime/sd/zk/zktest"
)

func TestWithoutZooKeeper(t *testing.T) {
	start := func(tb testing.TB) { zktest.Start(tb) }
	startEnsemble := func(tb testing.TB) { zktest.StartEnsemble(tb, 3) }
	for name, test := range map[string]struct {
		variable, reason string
	}{
		"no jars": {"ZOOKEEPER_HOME", "lib/zookeeper*.jar"},
		"no java": {"JAVA_HOME", "bin/java"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(test.variable, t.TempDir())
			for _, run := range []func(testing.TB){start, startEnsemble} {
				t.Setenv("REQUIRE_ZOOKEEPER", "")
				optional := record(t, run)
				wantReason(t, "skip", optional.skipped, test.reason)
				if optional.fatal != "" {
					t.Errorf("want no failure, have %q", optional.fatal)
				}
				t.Setenv("REQUIRE_ZOOKEEPER", "1")
				required := record(t, run)
				wantReason(t, "failure", required.fatal, test.reason)
				if required.skipped != "" {
					t.Errorf("want no skip, have %q", required.skipped)
				}
			}
		})
	}
}

func wantReason(t *testing.T, what, have, reason string) {
	t.Helper()
	for _, want := range []string{reason, "apt-get install zookeeper"} {
		if !strings.Contains(have, want) {
			t.Errorf("%s: want %q in %q", what, want, have)
		}
	}
}

// TestRelease lays Debian's jars out as a release is, and runs a server from there.
func TestRelease(t *testing.T) {
	const debian = "/usr/share/java"
	if _, err := os.Stat(filepath.Join(debian, "zookeeper.jar")); err != nil {
		t.Skipf("no jars to build a release from: %v (apt-get install zookeeper)", err)
	}
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "lib"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, jar := range []string{"zookeeper.jar", "slf4j-simple.jar"} {
		if err := os.Symlink(filepath.Join(debian, jar), filepath.Join(home, "lib", jar)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("ZOOKEEPER_HOME", home)
	server := zktest.Start(t)
	commandLine, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(server.PID()), "cmdline"))
	if err == nil && !strings.Contains(string(commandLine), home) {
		t.Errorf("want a class path in %s, have %q", home, commandLine)
	}
}
