// Package wait is how a test waits for what must become true: it looks again and again, for a
// bounded time, and tells the last error when the time has passed.
package wait

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Every is the time between two looks in real time.
const Every = 5 * time.Millisecond

// Poll calls check until it returns nil, and returns how long that took; or check's last error,
// once limit has passed. Before each look it calls settle, and between two looks it waits for as
// long as pause says, given the time since the first.
func Poll(limit time.Duration, settle func(), pause func(since time.Duration) time.Duration,
	check func() error) (took time.Duration, err error) {
	begun := time.Now()
	for {
		settle()
		err := check()
		took := time.Since(begun)
		if err == nil || took > limit {
			return took, err
		}
		time.Sleep(pause(took))
	}
}

// Until is Poll in real time.
func Until(limit time.Duration, check func() error) (took time.Duration, err error) {
	return Poll(limit, func() {}, func(time.Duration) time.Duration { return Every }, check)
}

// For is Until that ends the test if what it waits for does not come.
func For(tb testing.TB, limit time.Duration, check func() error) (took time.Duration) {
	tb.Helper()
	took, err := Until(limit, check)
	if err != nil {
		tb.Fatalf("after %v: %v", took, err)
	}
	return took
}

// InBubble is For inside a bubble of testing/synctest: limit and what it returns are virtual time,
// and check sees what all other goroutines have done. The pauses grow with the time that has
// passed, to a twentieth of it, since hours may have to pass.
func InBubble(tb testing.TB, limit time.Duration, check func() error) (took time.Duration) {
	tb.Helper()
	pause := func(since time.Duration) time.Duration { return max(time.Millisecond, since/20) }
	took, err := Poll(limit, synctest.Wait, pause, check)
	if err != nil {
		tb.Fatalf("after %v: %v", took, err)
	}
	return took
}

// Pass lets d of virtual time pass inside a bubble, and returns when all that it set off has ended
// or waits.
func Pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// longest is how long True waits. It passes only when a test fails.
const longest = 20 * time.Second

// True is For a condition, in real time, for at most 20 s.
func True(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	For(tb, longest, func() error {
		if !condition() {
			return errors.New("never: " + what)
		}
		return nil
	})
}
