package session

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/session/internal/wire"
	"example.com/daytime/sd/zk/zkdev"
)

// A frame with a wrong length ends the link, and is no list that is too long: the next link is well.
func TestBadLength(t *testing.T) {
	for _, op := range []zkdev.Op{zkdev.OpGetChildren2, zkdev.OpExists, zkdev.OpPing} {
		for _, length := range []int32{-1, -1 << 31, 0, 3, wire.MaxFrame + 1, 1 << 30, 1<<31 - 1} {
			inLab(t, one, func(l *lab) {
				s, conn := l.connected()
				l.BadLengthNext(op, length)
				for range 2 {
					conn.Exists(directory)
					conn.Children(directory)
				}
				wait.Pass(s.Timeout() / 2) // a ping
				if err := conn.Err(); !errors.Is(err, ErrBadFrame) || errors.Is(err, ErrTooLong) {
					t.Errorf("%v, length %d: want %v, have %v", op, length, ErrBadFrame, err)
				}
				after := l.conn(s, time.Second)
				if _, _, err := after.Children(directory); err != nil || after.Session != conn.Session {
					t.Errorf("%v, length %d: want a list in session 0x%x, have %v in 0x%x",
						op, length, conn.Session, err, after.Session)
				}
			})
		}
	}
}

// So does one in place of the reply to a multiRead that no reply can have; a long one may be right.
func TestBadLengthOfMultiRead(t *testing.T) {
	for _, length := range []int32{-1, -1 << 31, 0, 3} {
		inLab(t, one, func(l *lab) {
			s, conn := l.connected()
			l.BadLengthNext(zkdev.OpMultiRead, length)
			start := time.Now()
			_, err := conn.MultiRead([]string{directory})
			if took := time.Since(start); err == nil || took > 0 || !errors.Is(conn.Err(), ErrBadFrame) {
				t.Errorf("length %d: want %v at once, have %v, %v after %v", length, ErrBadFrame, err, conn.Err(), took)
			}
			if reads, err := l.conn(s, time.Second).MultiRead([]string{directory}); err != nil || reads[0].Err != nil {
				t.Errorf("length %d: then: %v, %v", length, reads, err)
			}
		})
	}
}

// A wrong length in place of a connect reply costs one dial.
func TestBadLengthInHandshake(t *testing.T) {
	for _, length := range []int32{-1, 0, 3, 1 << 30} {
		inLab(t, one, func(l *lab) {
			l.BadLengthNext(zkdev.OpConnect, length)
			s := l.start()
			l.conn(s, time.Second)
			if n := s.Stats().Dials; n != 2 {
				t.Errorf("length %d: want 2 dials, have %d", length, n)
			}
		})
	}
}

// A list that is too long is told as that when the next link confirms it.
func TestLongList(t *testing.T) {
	inLab(t, one, func(l *lab) {
		l.config.Timeout = 20 * time.Second
		for n := range 18 {
			l.Create(fmt.Sprintf("%s/%d%s", directory, n, strings.Repeat("x", 1<<20)), nil, 0)
		}
		s, conn := l.connected()
		for n, want := range []error{ErrBadFrame, ErrTooLong, ErrTooLong} {
			conn.Children(directory)
			if err := conn.Err(); !errors.Is(err, want) {
				t.Errorf("list %d: want %v, have %v", n+1, want, err)
			}
			wait.Pass(time.Second)
			conn = l.conn(s, time.Second)
		}
	})
}

// A server that answers with a TLS alert wants TLS, whether or not there are credentials to send.
func TestAlertInHandshake(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("user:password"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"", file} {
		inLab(t, one, func(l *lab) {
			l.config.AuthFile = secret
			for range 3 {
				l.BadLengthNext(zkdev.OpConnect, 0x15030100)
			}
			s := l.start()
			wait.Pass(time.Millisecond)
			if err := s.Err(); err == nil || !strings.Contains(err.Error(), "the server wants TLS") {
				t.Errorf("want an error that says what is wanted, have %v", err)
			}
		})
	}
}
