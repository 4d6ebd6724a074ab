package transport

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A stubborn error handler keeps each error and blocks until it is released.
type stubborn struct {
	mu      sync.Mutex
	errs    []error
	release chan struct{}
}

func (h *stubborn) Handle(_ context.Context, err error) {
	h.mu.Lock()
	h.errs = append(h.errs, err)
	h.mu.Unlock()
	<-h.release
}

// texts are those of the errors so far.
func (h *stubborn) texts() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var texts []string
	for _, err := range h.errs {
		texts = append(texts, err.Error())
	}
	return texts
}

// newPatient returns a handler that never blocks.
func newPatient() *stubborn {
	h := &stubborn{release: make(chan struct{})}
	close(h.release)
	return h
}

func wantTexts(t *testing.T, have []string, want ...string) {
	t.Helper()
	if !slices.Equal(have, want) {
		t.Errorf("want %q, have %q", want, have)
	}
}

// Of the connections that a limit turns away the first is told at once, the others once a minute,
// and the rest at the shutdown. Each limit is told by itself.
func TestTurnedAwayIsToldOnceAMinute(t *testing.T) {
	const first = "transport: too many connections: 1 turned away, limit 1, " +
		"the last from pipe"
	synctest.Test(t, func(t *testing.T) {
		h := newPatient()
		server := newTestServer(ServerErrorHandler(h), MaxConns(1))
		server.limits.open = 1 // one is being served
		turnAway := func(n int) {
			for range n {
				client, conn := net.Pipe()
				client.Close()
				server.admit(conn)
			}
			synctest.Wait()
		}
		turnAway(1)
		wantTexts(t, h.texts(), first)
		turnAway(20)
		time.Sleep(noticeInterval - time.Nanosecond)
		turnAway(3)
		wantTexts(t, h.texts(), first)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		second := strings.Replace(first, "1 turned", "23 turned", 1)
		wantTexts(t, h.texts(), first, second)
		time.Sleep(noticeInterval)
		synctest.Wait()
		turnAway(1) // after a minute without one it is told at once
		wantTexts(t, h.texts(), first, second, first)
		turnAway(1)
		server.limits.open = 0
		if err := server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		wantTexts(t, h.texts(), first, second, first, first)
		if !errors.Is(h.errs[0], ErrMaxConns) {
			t.Errorf("want %v, have %v", ErrMaxConns, h.errs[0])
		}
	})
}

// A handler that blocks holds up nothing but a second of the shutdown.
func TestErrorHandlerThatBlocks(t *testing.T) {
	const failures = 200
	synctest.Test(t, func(t *testing.T) {
		h := &stubborn{release: make(chan struct{})}
		boom := errors.New("boom")
		fail := func(context.Context, any) (any, error) { return nil, boom }
		server := NewServer(fail, nil, nil, ServerErrorHandler(h), MaxConns(failures))
		var steps []any
		for range failures {
			client, conn := net.Pipe()
			defer client.Close()
			go client.Read(make([]byte, 1))
			steps = append(steps, acceptError(24), conn)
		}
		l := newScript(steps...)
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		time.Sleep(failures * minBackoff)
		synctest.Wait()
		if have := len(l.times); have != 2*failures+1 {
			t.Errorf("want every connection accepted, have %d calls of Accept", have)
		}
		begin := time.Now()
		if err := server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > server.linger+reportTimeout {
			t.Errorf("want a shutdown in %v, have %v", reportTimeout, took)
		}
		if err := <-served; err != ErrServerClosed {
			t.Errorf("want %v, have %v", ErrServerClosed, err)
		}
		close(h.release)
		synctest.Wait()
		have := h.texts()
		if len(have) != 1+maxReports+1 {
			t.Fatalf("want %d reports and one of those that were lost, have %d", 1+maxReports, len(have))
		}
		lost := "transport: 136 errors were not reported: too many at a time"
		wantTexts(t, have[1+maxReports:], lost)
	})
}

func TestCapacity(t *testing.T) {
	for _, test := range []struct{ files, servers, conns, refusals int }{
		{1 << 30, 1, 10000, 1024},
		{20000, 1, 10000, 1024},
		{20000, 3, 5824, 832},
		{1024, 1, 868, 124},
		{256, 3, 65, 9},
		{60, 3, 8, 1},
		{32, 1, 1, 1},
		{0, 0, 1, 1},
	} {
		conns, refusals := capacity(test.files, test.servers)
		if conns != test.conns || refusals != test.refusals {
			t.Errorf("%d files, %d servers: want %d and %d, have %d and %d", test.files, test.servers,
				test.conns, test.refusals, conns, refusals)
		}
		left := test.files - test.servers*(conns+refusals)
		if test.files > 2*reservedFiles && left < reservedFiles {
			t.Errorf("want %d descriptors left, have %d", reservedFiles, left)
		}
	}
}
