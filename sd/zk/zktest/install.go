package zktest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const installHint = "apt-get install zookeeper, or set ZOOKEEPER_HOME to an unpacked release"

// An installation is what it takes to run a ZooKeeper.
type installation struct {
	java      string
	classPath string
}

// locate finds ZooKeeper: getenv("ZOOKEEPER_HOME") when set, else the Debian package below javaDir.
func locate(getenv func(string) string, javaDir string) (installation, error) {
	java, err := locateJava(getenv)
	if err != nil {
		return installation{}, err
	}
	classPath := debianClassPath
	if home := getenv("ZOOKEEPER_HOME"); home != "" {
		classPath, javaDir = releaseClassPath, home
	}
	path, err := classPath(javaDir)
	return installation{java: java, classPath: path}, err
}

func locateJava(getenv func(string) string) (string, error) {
	name := "java"
	if home := getenv("JAVA_HOME"); home != "" {
		name = filepath.Join(home, "bin", "java")
	}
	java, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("no Java: %w", err)
	}
	return java, nil
}

// debianClassPath begins with zookeeper.jar, whose manifest pulls in most of what it depends on,
// but not a logger, and not those parts of Netty without which the first TLS connection fails with
// ClassNotFoundException.
func debianClassPath(dir string) (string, error) {
	server := filepath.Join(dir, "zookeeper.jar")
	if _, err := os.Stat(server); err != nil {
		return "", fmt.Errorf("no ZooKeeper: %w", err)
	}
	return joinPaths(
		server,
		filepath.Join(dir, "netty-codec.jar"),
		filepath.Join(dir, "netty-resolver.jar"),
		filepath.Join(dir, "netty-transport-native-unix-common.jar"),
		filepath.Join(dir, "slf4j-simple.jar"),
	), nil
}

// releaseClassPath is for the layout of Apache's releases since 3.5: jars in lib, the logger's
// configuration in conf.
func releaseClassPath(home string) (string, error) {
	jars, err := filepath.Glob(filepath.Join(home, "lib", "zookeeper*.jar"))
	if err == nil && len(jars) == 0 {
		err = errors.New("nothing matches lib/zookeeper*.jar")
	}
	if err != nil {
		return "", fmt.Errorf("no ZooKeeper in ZOOKEEPER_HOME=%s: %w", home, err)
	}
	return joinPaths(filepath.Join(home, "conf"), filepath.Join(home, "lib", "*")), nil
}

func joinPaths(paths ...string) string {
	return strings.Join(paths, string(os.PathListSeparator))
}

// needInstallation ends the test when ZooKeeper cannot be run here: skipped, or failed where it is
// required.
func needInstallation(tb testing.TB, getenv func(string) string, javaDir string) installation {
	tb.Helper()
	found, err := locate(getenv, javaDir)
	if err == nil {
		return found
	}
	if getenv("REQUIRE_ZOOKEEPER") == "1" {
		tb.Fatalf("zktest: %v (REQUIRE_ZOOKEEPER=1; %s)", err, installHint)
	}
	tb.Skipf("zktest: %v (%s)", err, installHint)
	return installation{} // not reached: Fatalf and Skipf end the goroutine
}
