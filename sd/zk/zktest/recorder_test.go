package zktest_test

import (
	"fmt"
	"runtime"
	"testing"
)

// A recorder is a testing.TB that keeps what a failure or skip says instead of reporting it.
type recorder struct {
	testing.TB
	fatal, skipped string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skipf(format string, args ...any) {
	r.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// record runs do on a goroutine of its own, as Fatalf and Skipf end it.
func record(t *testing.T, do func(testing.TB)) *recorder {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(r)
	}()
	<-done
	return r
}

func fatalText(t *testing.T, do func(testing.TB)) string {
	t.Helper()
	return record(t, do).fatal
}
