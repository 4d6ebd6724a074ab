package transporttest

import (
	"os"
	"os/exec"
	"testing"
)

// Program returns the path of a program that others wrote, which Debian has in that package. Without
// it the test is skipped, and says so; with REQUIRE_PEERS=1 it fails, so that CI cannot pass by
// skipping.
func Program(tb testing.TB, name, debianPackage string) (path string) {
	tb.Helper()
	for _, name := range []string{name, "/usr/sbin/" + name} { // which is not in every PATH
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(tb, name, debianPackage)
	return ""
}

// File is Program for a file that is no program.
func File(tb testing.TB, path, debianPackage string) string {
	tb.Helper()
	if _, err := os.Stat(path); err != nil {
		missing(tb, path, debianPackage)
	}
	return path
}

func missing(tb testing.TB, what, debianPackage string) {
	tb.Helper()
	if os.Getenv("REQUIRE_PEERS") == "1" {
		tb.Fatalf("no %s here (REQUIRE_PEERS=1; apt-get install %s)", what, debianPackage)
	}
	tb.Skipf("no %s here; apt-get install %s", what, debianPackage)
}
