package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// trickling returns a connection whose peer writes the parts of a reply with a pause after each,
// and stays.
func trickling(t *testing.T, pause time.Duration, parts ...string) net.Conn {
	conn, peer := net.Pipe()
	var writing sync.WaitGroup
	writing.Go(func() {
		for _, part := range parts {
			io.WriteString(peer, part)
			time.Sleep(pause)
		}
	})
	t.Cleanup(func() { conn.Close(); writing.Wait(); peer.Close() })
	return conn
}

// A line without a line end is complete when no byte has come for a second; the wait for the first
// printable character, and for the line end of a slow server, is the context's.
func TestQuietEndsALine(t *testing.T) {
	const almost = quietTimeout - time.Millisecond
	for _, test := range []struct {
		name  string
		pause time.Duration
		parts []string
		want  string
		took  time.Duration
		err   error
	}{
		{"at once", 0, []string{"now\n"}, "now", 0, nil},
		{"no line end", 0, []string{"now"}, "now", quietTimeout, nil},
		{"slow", almost, []string{"n", "o", "w", "\n"}, "now", 3 * almost, nil},
		{"slow, no line end", almost, []string{"n", "o", "w"}, "now", 2*almost + quietTimeout, nil},
		{"late", 5 * time.Second, []string{"\r\n", "now\n"}, "now", 5 * time.Second, nil},
		{"blank", 0, []string{" \r\n\t"}, "", 10 * time.Second, os.ErrDeadlineExceeded},
		{"too slow", 2 * quietTimeout, []string{"n", "o", "w"}, "n", quietTimeout, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			conn := trickling(t, test.pause, test.parts...)
			defer interruptOn(ctx, conn)()
			begin := time.Now()
			have, err := ReadLine(&reply{conn: conn, ctx: ctx})
			took := time.Since(begin)
			if have != test.want || took != test.took || !errors.Is(err, test.err) {
				t.Errorf("%s: want %q after %v, %v, have %q after %v, %v",
					test.name, test.want, test.took, test.err, have, took, err)
			}
		})
	}
}

// The end of the context ends the second of quiet too, at any moment.
func TestContextEndsTheQuiet(t *testing.T) {
	for _, after := range []time.Duration{0, time.Nanosecond, quietTimeout / 2, quietTimeout - 1} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			conn := trickling(t, 0, "no")
			defer interruptOn(ctx, conn)()
			r := &reply{conn: conn, ctx: ctx}
			begin := time.Now()
			have, err := ReadLine(r)
			took := time.Since(begin)
			if have != "" || took != after || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("want the deadline after %v, have %q after %v, %v", after, have, took, err)
			}
		})
	}
}

// A decoder that goes on reading after a line does not inherit its deadline.
func TestReadAfterALineWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reply{conn: trickling(t, 10*time.Second, "no", "w"), ctx: t.Context()}
		if have, err := ReadLine(r); have != "no" || err != nil {
			t.Errorf("want no, have %q, %v", have, err)
		}
		if n, err := r.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("want a byte after a pause, have %d, %v", n, err)
		}
	})
}
