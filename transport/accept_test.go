package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/kit/transport"
	kitlog "github.com/go-kit/log"
)

func newTestServer(options ...ServerOption) *Server {
	endpoint := func(context.Context, any) (any, error) { return "now", nil }
	encode := func(_ context.Context, w io.Writer, v any) error { return WriteLine(w, v.(string)) }
	return NewServer(endpoint, nil, encode, options...)
}

// A script is a listener whose Accept takes its results from a list, and blocks at its end until it
// is closed.
type script struct {
	steps  []any // of error and net.Conn
	times  []time.Time
	once   sync.Once
	closed chan struct{}
}

func newScript(steps ...any) *script { return &script{steps: steps, closed: make(chan struct{})} }

func (l *script) Accept() (net.Conn, error) {
	l.times = append(l.times, time.Now())
	if len(l.steps) == 0 {
		<-l.closed
		return nil, net.ErrClosed
	}
	step := l.steps[0]
	l.steps = l.steps[1:]
	if err, ok := step.(error); ok {
		return nil, err
	}
	return step.(net.Conn), nil
}

func (l *script) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *script) Addr() net.Addr { return &net.UnixAddr{} }

// gaps are the times between calls of Accept.
func (l *script) gaps() []time.Duration {
	var gaps []time.Duration
	for i := 1; i < len(l.times); i++ {
		gaps = append(gaps, l.times[i].Sub(l.times[i-1]))
	}
	return gaps
}

func acceptError(errno syscall.Errno) error {
	return &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", errno)}
}

func TestAcceptBacksOffAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shortage := acceptError(syscall.EMFILE)
		client, conn := net.Pipe()
		l := newScript(append(slices.Repeat([]any{shortage}, 10), conn, shortage)...)
		var log bytes.Buffer
		logger := kitlog.NewLogfmtLogger(&log)
		server := newTestServer(ServerErrorHandler(transport.NewLogErrorHandler(logger)))
		served := make(chan error)
		go func() { served <- server.Serve(l) }()

		if have, err := io.ReadAll(client); string(have) != "now\r\n" || err != nil {
			t.Errorf("want now, have %q, %v", have, err)
		}
		synctest.Wait()
		time.Sleep(time.Minute)
		if err := server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != ErrServerClosed {
			t.Errorf("want %v, have %v", ErrServerClosed, err)
		}
		const ms = time.Millisecond
		want := []time.Duration{
			5 * ms, 10 * ms, 20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms, 1000 * ms, 1000 * ms,
			0, 5 * ms, // the connection, and a shortage after it
		}
		have := l.gaps()
		for i := range want {
			if i >= len(have) || have[i] != want[i] {
				t.Fatalf("want %v, have %v", want, have)
			}
		}
		line := "accept, retrying: accept tcp: accept4: too many open files"
		if have := log.String(); strings.Count(have, "\n") != 1 || !strings.Contains(have, line) {
			t.Errorf("want one line for shortages within a minute, have %q", have)
		}
	})
}

func TestAbortedConnectionIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reports int
		count := transport.ErrorHandlerFunc(func(context.Context, error) { reports++ })
		server := newTestServer(ServerErrorHandler(count))
		l := newScript(acceptError(syscall.ECONNABORTED), acceptError(syscall.ECONNABORTED))
		go server.Serve(l)
		synctest.Wait()
		for _, gap := range l.gaps() {
			if gap != 0 {
				t.Errorf("want no pause, have %v", gap)
			}
		}
		if err := server.Shutdown(t.Context()); err != nil || reports != 0 {
			t.Errorf("want no report, have %d, %v", reports, err)
		}
	})
}

func TestServeReturnsWhatCannotBeWaitedOut(t *testing.T) {
	boom := errors.New("boom")
	for _, want := range []error{boom, net.ErrClosed, syscall.EINVAL, syscall.EBADF} {
		l := newScript(want)
		server := newTestServer()
		err := server.Serve(l)
		if !errors.Is(err, want) || !strings.HasPrefix(err.Error(), "transport: accept: ") {
			t.Errorf("want %v, have %v", want, err)
		}
		select {
		case <-l.closed:
		default:
			t.Errorf("%v: want the listener closed", want)
		}
		if err := server.Shutdown(t.Context()); err != nil {
			t.Errorf("want nothing to wait for, have %v", err)
		}
	}
}

func TestShutdownInterruptsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var steps []any
		for range 100 {
			steps = append(steps, acceptError(syscall.ENFILE))
		}
		server := newTestServer()
		go server.Serve(newScript(steps...))
		time.Sleep(10500 * time.Millisecond)
		begin := time.Now()
		if err := server.Shutdown(t.Context()); err != nil || time.Since(begin) != 0 {
			t.Errorf("want an end at once, have %v after %v", err, time.Since(begin))
		}
	})
}

// A flood above the limit waits in the kernel once every slot for refusals is taken, and goes on
// when one is free.
func TestRefusalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newTestServer(Linger(time.Hour), MaxConns(1))
		slots := cap(server.refusals)
		var steps []any
		for range slots + 2 {
			_, conn := net.Pipe()
			steps = append(steps, conn)
		}
		l := newScript(steps...)
		go server.Serve(l)
		synctest.Wait()
		if want, have := slots, len(server.refusals); have != want {
			t.Errorf("want %d slots taken, have %d", want, have)
		}
		if want, have := slots+2, len(l.times); have != want {
			t.Errorf("want %d calls of Accept before it blocks, have %d", want, have)
		}
		time.Sleep(refusalTimeout)
		synctest.Wait()
		if want, have := slots+3, len(l.times); have != want {
			t.Errorf("want Accept to go on after %v: %d calls, have %d", refusalTimeout, want, have)
		}
		if err := server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
