package zkdev

import (
	"net"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/internal/wait"
)

// TestMultiReadOfWhatIsNoRead has the cases that the scripts leave out: ZooKeeper adds an empty
// result to the error, which no client reads.
func TestMultiReadOfWhatIsNoRead(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		null := part{OpGetData, func(e *encoder) { e.null(); e.bool(false) }}
		for _, p := range []part{null, checks("/", 0), creates("/a", 0), deletes("/a", -1),
			{opError, nil}} {
			if p.fill == nil {
				p.fill = func(*encoder) {}
			}
			if have := w.multiRead("no read", gets("/"), p); have != MarshallingError {
				t.Errorf("operation %d: have code %d, want MarshallingError", p.op, have)
			}
		}
		if have := s.Zxid(); have != 1 {
			t.Errorf("zxid: have %d, want 1, that of the session", have)
		}
	})
}

// TestMultiReadLags reads through one that lags behind: all of it is from the same moment.
func TestMultiReadLags(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		s.Create("/a", []byte("old"), 0)
		w := l.join(t, dialTo(s), "w")
		s.Lag()
		s.SetData("/a", []byte("new"))
		s.Create("/b", nil, 0)
		w.multiRead("lag", gets("/a"), lists("/"))
		last := l.lines[len(l.lines)-1]
		for _, want := range []string{`data "old"`, `children ["a" "zookeeper"]`} {
			if !strings.Contains(last, want) {
				t.Errorf("have %s, want in it %s", last, want)
			}
		}
	})
}

// TestLifetimes runs the same on both servers: what has a lifetime goes when it has passed since
// the last change of its data, but not while it has children. Intervals are short here.
func TestLifetimes(t *testing.T) {
	const interval, ttl = 100 * time.Millisecond, 800
	s, err := Start("127.0.0.1:0", TickTime(500*time.Millisecond), ReapInterval(interval))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for name, addr := range map[string]string{
		"dev": s.Addr().String(), "real": realServer(t, "-Dznode.container.checkIntervalMs=100"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newTranscript()
			w := l.join(t, func() (net.Conn, error) { return net.Dial("tcp", addr) }, "w")
			begun := time.Now()
			for _, path := range []string{"/idle", "/used", "/parent"} {
				w.createTTL(path, 5, ttl)
			}
			w.createOp(OpCreateContainer, "/box", "", 4, openACL())
			w.create("/box/a", "", 0)
			w.create("/parent/a", "", 0)
			there := func(path string) bool { return w.readOp(OpExists, path, false) == OK }
			var pause time.Duration // the longest between two uses, on a busy machine
			for last := begun; there("/idle"); last = time.Now() {
				w.setData("/used", "", -1)
				time.Sleep(interval / 2)
				pause = max(pause, time.Since(last))
				if time.Since(begun) > 10*time.Second {
					t.Fatal("/idle is still there after 10 s")
				}
			}
			if took := time.Since(begun); took < ttl*time.Millisecond {
				t.Errorf("/idle went after %v, want %d ms", took, ttl)
			}
			for _, path := range []string{"/used", "/parent", "/box"} {
				if !there(path) && (path != "/used" || pause < ttl*time.Millisecond/2) {
					t.Errorf("%s, which was used or has children, went after %v", path,
						time.Since(begun))
				}
			}
			w.delete("/parent/a", -1)
			w.delete("/box/a", -1)
			wait.True(t, "those without children go", func() bool {
				return !there("/parent") && !there("/box")
			})
			wait.True(t, "the one that is no longer used goes",
				func() bool { return !there("/used") })
			w.quit()
		})
	}
}
