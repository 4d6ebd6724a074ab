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
	"example.com/daytime/sd/zk/zkdev"
	gozk "github.com/go-zookeeper/zk"
)

// allCodes are the error codes of ZooKeeper 3.9, but for OK.
var allCodes = []int32{
	-1, -2, -3, -4, -5, -6, -7, -8, -12, -13, -14, -100, -101, -102, -103, -108, -110, -111, -112,
	-113, -114, -115, -118, -119, -120, -121, -122, -123, -124, -125, -127,
}

// Every code has a name, whether go-zookeeper has one for it or not, and is told as it comes; with
// SessionMoved the connection ends.
func TestCodesHaveNames(t *testing.T) {
	denials := map[int32]bool{-120: true, -124: true, -125: true}
	for _, code := range allCodes {
		inLab(t, one, func(l *lab) {
			s, conn := l.connected()
			l.FailNext(zkdev.OpCreate, zkdev.Code(code))
			_, err := conn.Create(directory+"/a", nil, 0, gozk.WorldACL(gozk.PermAll))
			if err == nil || strings.Contains(err.Error(), "unknown") && code != -12 {
				t.Errorf("%d: want its name, have %v", code, err)
			}
			if errors.Is(err, ErrDenied) != denials[code] {
				t.Errorf("%d: want a denial %t, have %v", code, denials[code], err)
			}
			if want := errorOf(code); code != -118 && !errors.Is(err, want) && err.Error() != want.Error() {
				t.Errorf("%d: want %v, have %v", code, want, err)
			}
			var named *CodeError
			if errors.As(err, &named) && (named.Code != code || !strings.Contains(err.Error(), fmt.Sprint(code))) {
				t.Errorf("%d: want an error with the code, have %v", code, err)
			}
			l.conn(s, 2*time.Second)
		})
	}
	if err := errorOf(0); err != nil {
		t.Errorf("0: want no error, have %v", err)
	}
	if err := errorOf(-4711); !strings.Contains(err.Error(), "unknown error (-4711)") {
		t.Errorf("-4711: have %v", err)
	}
}

// Codes of a multi, and in its results, have names as well.
func TestCodesOfMulti(t *testing.T) {
	inLab(t, one, func(l *lab) {
		_, conn := l.connected()
		results, err := conn.Multi(&gozk.DeleteRequest{Path: directory}, &gozk.DeleteRequest{Path: "/nobody"})
		if !errors.Is(err, gozk.ErrNoNode) || len(results) != 2 {
			t.Fatalf("want %v and two results, have %v, %v", gozk.ErrNoNode, err, results)
		}
		for n, want := range []error{nil, gozk.ErrNoNode} {
			if have := results[n].Error; !errors.Is(have, want) {
				t.Errorf("result %d: want %v, have %v", n+1, want, have)
			}
		}
		_, err = conn.Multi(
			&gozk.CheckVersionRequest{Path: directory, Version: -1},
			&gozk.SetDataRequest{Path: directory, Data: []byte("new"), Version: -1},
		)
		if err != nil || conn.Err() != nil {
			t.Errorf("check and setData: want no error, have %v, %v", err, conn.Err())
		}
		l.FailNext(zkdev.OpMulti, codeQuota)
		if _, err := conn.Multi(&gozk.DeleteRequest{Path: directory}); !errors.Is(err, ErrDenied) {
			t.Errorf("want the quota's error, have %v", err)
		}
	})
}

// A path is made level by level. What is there already is no error, nor is a level above that may not
// be made.
func TestCreatePath(t *testing.T) {
	inLab(t, one, func(l *lab) {
		_, conn := l.connected()
		open := gozk.WorldACL(gozk.PermAll)
		for _, path := range []string{"/a/b/c", "/a/b/c", "/a/d"} {
			l.FailNext(zkdev.OpCreate, zkdev.NoAuth)
			l.Create("/a", nil, 0)
			err := conn.CreatePath(path, open)
			if there, _, _ := conn.Exists(path); there != (err == nil) {
				t.Errorf("%s: have it there %t, %v", path, there, err)
			}
		}
		l.FailAll(zkdev.OpCreate, zkdev.NoAuth)
		if err := conn.CreatePath("/e/f", open); !errors.Is(err, gozk.ErrNoAuth) || !strings.Contains(err.Error(), "create /e") {
			t.Errorf("want a denial that names the level, have %v", err)
		}
	})
}

// A server that requires SASL says so on the first request, and closes the session. That is why the
// Conn is down.
func TestServerRequiresSASL(t *testing.T) {
	inLab(t, one, func(l *lab) {
		s, conn := l.connected()
		l.FailNext(zkdev.OpExists, codeNeedsSASL)
		_, _, err := conn.Exists(directory)
		if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "SASL") {
			t.Errorf("want a denial that names SASL, have %v", err)
		}
		if err := conn.Err(); !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), conn.Server) {
			t.Errorf("Conn: want the same, have %v", err)
		}
		l.conn(s, 2*time.Second)
	})
}

// So it says to a ping of a session that asks for nothing. There is a session for a moment at each
// dial, and so 10 s between two dials as after any denial, though not for a single one.
func TestServerRequiresSASLOfPings(t *testing.T) {
	for _, hosts := range [][]string{one, three} {
		inLab(t, hosts, func(l *lab) {
			s, _ := l.connected()
			l.FailAll(zkdev.OpPing, codeNeedsSASL)
			wait.Pass(time.Minute)
			before := s.Stats().Dials
			wait.Pass(5 * time.Minute)
			if n := s.Stats().Dials - before; n < 20 || n > 60 { // two after an expiry
				t.Errorf("dials in 5 minutes: want 20 to 60, have %d", n)
			}
			told := 0
			for range 100 {
				wait.Pass(100 * time.Millisecond)
				if err := s.Err(); errors.Is(err, ErrDenied) && strings.Contains(err.Error(), "SASL") {
					told++
				}
			}
			if told < 50 {
				t.Errorf("want SASL named most of the time, have it in %d of 100 looks", told)
			}
			l.FailAll(zkdev.OpPing, 0)
			l.conn(s, 15*time.Second)
			wait.Pass(time.Minute)
			l.Disconnect()
			l.conn(s, 2*time.Second)
		})
	}
}

// What an ACL denies is told with what one could be known by.
func TestDeniedNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("user:password\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string]string{"": "want auth-file or tls-cert", file: "user of auth-file " + file} {
		inLab(t, one, func(l *lab) {
			l.config.AuthFile = secret
			_, conn := l.connected()
			l.FailNext(zkdev.OpGetChildren2, zkdev.NoAuth)
			if _, _, err := conn.Children(directory); !errors.Is(err, gozk.ErrNoAuth) || !strings.Contains(err.Error(), want) {
				t.Errorf("want %v and %q, have %v", gozk.ErrNoAuth, want, err)
			}
		})
	}
	if have := (Config{TLS: TLS{CA: "ca", Cert: "cert", Key: "key"}}).identity(); !strings.Contains(have, "tls-cert cert") {
		t.Errorf("with a certificate: have %q", have)
	}
}
