package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/zk/session"
	"example.com/daytime/sd/zk/zktest"
)

// connect starts a session with a real server, and waits for it.
func connect(t *testing.T, server *zktest.Server) (*session.Session, *session.Conn) {
	t.Helper()
	s, err := session.New(session.Config{Hosts: []string{server.Addr()}, Timeout: 4 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s.Start(nil)
	t.Cleanup(func() { s.Close() })
	var conn *session.Conn
	for start := time.Now(); conn == nil; {
		if conn, err = s.Wait(t.Context()); err != nil && time.Since(start) > 20*time.Second {
			t.Fatal(err)
		}
	}
	return s, conn
}

// A server with the memory-saving watch manager refuses persistent watches with -5, and does all
// else.
func TestWatchManagerOptimized(t *testing.T) {
	_, conn := connect(t, zktest.Start(t,
		zktest.Config("watchManagerName=org.apache.zookeeper.server.watch.WatchManagerOptimized")))
	err := conn.AddWatch("/", session.Tree)
	if !errors.Is(err, session.ErrNoAddWatch) || !strings.Contains(err.Error(), "WatchManagerOptimized") {
		t.Errorf("want %v and why, have %v", session.ErrNoAddWatch, err)
	}
	if conn.CanAddWatch() || conn.Err() != nil {
		t.Errorf("want a Conn without persistent watches, have CanAddWatch %t, %v", conn.CanAddWatch(), conn.Err())
	}
	if names, _, err := conn.ChildrenOnce("/"); err != nil || len(names) == 0 {
		t.Errorf("list: want names, have %q, %v", names, err)
	}
}

// The election of the package example, on a real server.
func TestElectionOnZooKeeper(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if first, second, err := elect(ctx, zktest.Start(t).Addr()); first != "a" || second != "b" || err != nil {
		t.Errorf("want a b, have %s %s, %v", first, second, err)
	}
}
