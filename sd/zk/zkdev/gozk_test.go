package zkdev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	gozk "github.com/go-zookeeper/zk"
)

// oneHost is a host provider that resolves nothing.
type oneHost struct{ tried bool }

func (h *oneHost) Init([]string) error { return nil }
func (h *oneHost) Len() int            { return 1 }
func (h *oneHost) Connected()          { h.tried = false }
func (h *oneHost) Next() (string, bool) {
	again := h.tried
	h.tried = true
	return "zkdev:2181", again
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// goClient is go-zookeeper's client of s, over memory. It ends with the test.
func goClient(t *testing.T, s *Server, timeout time.Duration) *gozk.Conn {
	t.Helper()
	dial := func(network, addr string, timeout time.Duration) (net.Conn, error) {
		return s.Dial(context.Background(), network, addr)
	}
	c, events, err := gozk.Connect([]string{"zkdev:2181"}, timeout,
		gozk.WithDialer(dial), gozk.WithHostProvider(&oneHost{}), gozk.WithLogger(quiet{}), gozk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		for range events {
		}
	})
	return c
}

func mustCreate(t *testing.T, c *gozk.Conn, path string, flags int32) {
	t.Helper()
	if _, err := c.Create(path, nil, flags, gozk.WorldACL(gozk.PermAll)); err != nil {
		t.Fatalf("create %s: %v", path, err)
	}
}

// TestGoClientKeepsSession cuts a client's connection again and again: session, ephemeral and watch
// live on, and nothing is written.
func TestGoClientKeepsSession(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		c := goClient(t, s, 6*time.Second)
		mustCreate(t, c, "/e", gozk.FlagEphemeral)
		_, _, watch, err := c.ChildrenW("/")
		if err != nil {
			t.Fatal(err)
		}
		session, zxid := c.SessionID(), s.Zxid()
		for range 20 {
			s.Disconnect()
			time.Sleep(2 * time.Second)
		}
		if c.SessionID() != session || s.Zxid() != zxid || s.Requests(OpSetWatches) != 20 {
			t.Errorf("have session %d, zxid %d, %d setWatches; want %d, %d, 20",
				c.SessionID(), s.Zxid(), s.Requests(OpSetWatches), session, zxid)
		}
		s.Disconnect()
		s.Create("/missed", nil, 0)
		if ev := <-watch; ev.Type != gozk.EventNodeChildrenChanged || ev.Path != "/" {
			t.Errorf("a change while the client was away: have %+v", ev)
		}
	})
}

func TestGoClientFindsItsSessionExpired(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		c := goClient(t, s, 6*time.Second)
		mustCreate(t, c, "/p", 0)
		_, _, watch, _ := c.GetW("/p")
		old := c.SessionID()
		s.Expire(old)
		if ev := <-watch; ev.Type != gozk.EventNotWatching || !errors.Is(ev.Err,
			gozk.ErrSessionExpired) {
			t.Errorf("watch of an expired session: have %+v", ev)
		}
		time.Sleep(5 * time.Second)
		if have := s.Sessions(); len(have) != 1 || have[0].ID == old {
			t.Errorf("have %+v, want one new session in place of %d", have, old)
		}
	})
}

// TestGoClientAndFrozenServer freezes the server for less and for more than the session timeout.
func TestGoClientAndFrozenServer(t *testing.T) {
	for freeze, survives := range map[time.Duration]bool{5 * time.Second: true,
		30 * time.Second: false} {
		bubble(t, func(t *testing.T, s *Server, l *transcript) {
			c := goClient(t, s, 6*time.Second)
			mustCreate(t, c, "/e", gozk.FlagEphemeral)
			session := c.SessionID()
			s.Freeze()
			time.Sleep(freeze)
			s.Thaw()
			time.Sleep(10 * time.Second)
			if _, _, err := s.Get("/e"); (err == nil) != survives || (c.SessionID() == session) != survives {
				t.Errorf("frozen for %v: have %v and session kept %v, want both %v", freeze, err,
					c.SessionID() == session, survives)
			}
		})
	}
}

// TestManyGoClients has clients register, see each other, and go, all through one server.
func TestManyGoClients(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		s.Create("/p", nil, 0)
		var clients []*gozk.Conn
		for i := range 30 {
			clients = append(clients, goClient(t, s, 10*time.Second))
			mustCreate(t, clients[i], fmt.Sprintf("/p/%02d", i), gozk.FlagEphemeral)
		}
		last, _, watch, err := clients[0].ChildrenW("/p")
		if err != nil || len(last) != 30 || !slices.IsSorted(last) {
			t.Errorf("have %v, %v, want 30 names", last, err)
		}
		s.Expire(clients[29].SessionID())
		<-watch
		for _, c := range clients[1:29] {
			c.Close()
		}
		synctest.Wait()
		if have, _ := s.Children("/p"); len(have) != 1 {
			t.Errorf("have %v, want the name of the only client left", have)
		}
	})
}

// TestGoClientSameAsZooKeeper runs the client's own calls against both servers and compares what it
// makes of the answers.
func TestGoClientSameAsZooKeeper(t *testing.T) {
	s, err := Start("127.0.0.1:0", FirstZxid(0))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := goTranscript(t, realServer(t))
	have := goTranscript(t, s.Addr().String())
	compare(t, have, want)
}

func goTranscript(t *testing.T, addr string) (lines []string) {
	c, events, err := gozk.Connect([]string{addr}, 4*time.Second, gozk.WithLogger(quiet{}),
		gozk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	tell := func(what string, answer ...any) {
		lines = append(lines,
			fmt.Sprintf("%s: %v", what, answer))
	}
	brief := func(st *gozk.Stat) string {
		if st == nil {
			return "no stat"
		}
		return fmt.Sprint(st.Czxid, st.Mzxid, st.Pzxid, st.Version, st.Cversion, st.Aversion,
			st.DataLength, st.NumChildren)
	}
	open := gozk.WorldACL(gozk.PermAll)
	path, err := c.Create("/g", []byte("x"), 0, open)
	tell("create", path, err)
	path, err = c.CreateContainer("/g/c", nil, gozk.FlagContainer, open)
	tell("container", path, err)
	path, err = c.CreateTTL("/g/t", nil, gozk.FlagTTL, open, time.Minute)
	tell("ttl", path, err)
	path, err = c.CreateProtectedEphemeralSequential("/g/p-", nil, open)
	tell("protected", path[len(path)-12:], err)
	there, st, watch, err := c.ExistsW("/g/later")
	tell("existsW", there, brief(st), err)
	results, err := c.Multi(&gozk.CreateRequest{Path: "/g/later", Acl: open},
		&gozk.SetDataRequest{Path: "/g/later", Version: 0},
		&gozk.CheckVersionRequest{Path: "/g", Version: 0}, &gozk.DeleteRequest{Path: "/g/c",
			Version: -1})
	for _, r := range results {
		tell("multi", r.String, brief(r.Stat), r.Error)
	}
	tell("multi", err, (<-watch).Type)
	results, err = c.Multi(&gozk.CreateRequest{Path: "/g/no", Acl: open},
		&gozk.DeleteRequest{Path: "/g", Version: 5}, &gozk.SetDataRequest{Path: "/g"})
	for _, r := range results {
		tell("failed multi", r.String, brief(r.Stat), r.Error)
	}
	tell("failed multi", err)
	tell("delete", c.Delete("/g", 3), c.Delete("/g", 0), c.Delete("/zookeeper", -1))
	tell("auth", c.AddAuth("digest", []byte("u:p")))
	path, err = c.Sync("/g")
	tell("sync", path, err)
	st, err = c.SetACL("/g", gozk.DigestACL(gozk.PermAll, "u", "p"), 0)
	tell("setACL", brief(st), err)
	list, st, err := c.GetACL("/g")
	tell("getACL", list, brief(st), err)
	tell("wrong auth", c.AddAuth("nope", nil))
	c.Close()
	for range events {
	}
	return lines
}
