package zktest

import (
	"errors"
	"os"
	"slices"
	"testing"
)

// startAttempts are made on different ports.
const startAttempts = 3

var errExited = errors.New("exited before it served")

// Start runs a server until the end of the test. It returns once the server serves, and skips the
// test where ZooKeeper is not installed.
func Start(tb testing.TB, options ...Option) *Server {
	tb.Helper()
	return start(tb, 1, newConfig(options))[0]
}

// start tries again when a server dies at birth: that is how a port taken by somebody else in the
// meantime shows.
func start(tb testing.TB, n int, c *config) []*Server {
	tb.Helper()
	install := needInstallation(tb, os.Getenv, "/usr/share/java")
	var err error
	for range startAttempts {
		var servers []*Server
		if servers, err = prepare(tb, install, n, c); err != nil {
			break
		}
		if err = launchAll(servers); err == nil {
			return servers
		}
		for _, s := range servers {
			s.Kill(tb)
		}
		if !errors.Is(err, errExited) {
			break
		}
	}
	tb.Fatalf("zktest: start: %v", err)
	return nil
}

// prepare gives each of n servers ports, a directory and a configuration file, and leaves them
// down.
func prepare(tb testing.TB, install installation, n int, c *config) ([]*Server, error) {
	free, err := freePorts(4 * n)
	if err != nil {
		return nil, err
	}
	var quorum []ports
	for own := range slices.Chunk(free, 4) {
		quorum = append(quorum, ports{client: own[0], secure: own[1], peer: own[2], election: own[3]})
	}
	var servers []*Server
	for i, own := range quorum {
		s := &Server{install: install, dir: tb.TempDir(), ports: own, tls: c.pem != nil}
		if n > 1 {
			s.id = i + 1
		}
		tb.Cleanup(func() { s.cleanup(tb) })
		text := c.zooCfg(s.DataDir(), own, quorum)
		if err := errors.Join(s.format(), os.WriteFile(s.path("zoo.cfg"), []byte(text),
			0o600)); err != nil {
			return nil, err
		}
		servers = append(servers, s)
	}
	return servers, nil
}

// launchAll starts every server before it awaits the first, since a member of a quorum does not
// serve alone.
func launchAll(servers []*Server) error {
	for _, s := range servers {
		if err := s.launch(); err != nil {
			return err
		}
	}
	for _, s := range servers {
		if err := s.await(serveBound); err != nil {
			return err
		}
	}
	return nil
}
