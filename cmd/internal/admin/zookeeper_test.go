package admin

import (
	"testing"
	"testing/synctest"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zkdev"
)

// A server in a ZooKeeper, which is down for five minutes: it stays ready, and says since when. Its
// directory is watched while somebody looks, and not before or after that.
func TestServerInZooKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		zookeeper := zkdev.New()
		defer zookeeper.Close()
		target, err := sd.ParseTarget("zk://192.0.2.250/go_servers?session-timeout=4s")
		if err != nil {
			t.Fatal(err)
		}
		open := func() sd.Backend {
			backend, err := zk.OpenBackend(target, zk.Dial(zookeeper.Dial))
			if err != nil {
				t.Error(err)
			}
			return backend
		}
		backend := open()
		defer backend.Close()
		registrar, err := sd.NewRegistrar(backend, address(0), kitlog.NewNopLogger())
		if err != nil {
			t.Fatal(err)
		}
		registrar.Register()
		defer registrar.Deregister()
		s := newServer(t.Context(), ":9867", Config{Program: "daytimesvc"})
		s.SetServing()
		defer s.Show(View{
			Listeners: func() []Listener {
				return []Listener{{Instance: address(0), Addr: address(0),
					Registrations: []Registration{{"zk://192.0.2.250/go_servers",
						registrar.State()}}}}
			},
			Directories: []Directory{{"zk://192.0.2.250/go_servers", func() (*sd.Instancer,
				func()) {
				backend := open()
				i := sd.NewInstancer(backend, kitlog.NewNopLogger(), sd.FollowPolicy())
				return i, func() { i.Stop(); backend.Close() }
			}}},
		})()
		watches := func() (n int) {
			synctest.Wait()
			for _, session := range zookeeper.Sessions() {
				n += 1 + session.Watches // of which each is a cost
			}
			return n
		}
		time.Sleep(time.Minute)
		before := watches()
		wantText(t, body(t, ask(s, "GET", "/readyz"), 200), address(0)+" registered since ")
		wantText(t, body(t, ask(s, "GET", "/"), 200), ">live<", ">1 server<", ">1 of 1<")
		if during := watches(); during <= before {
			t.Errorf("want more than the %d watches while somebody looks, have %d", before, during)
		}
		time.Sleep(59 * time.Second)
		if during := watches(); during <= before {
			t.Errorf("want the directory watched for a minute, have %d watches", during)
		}
		time.Sleep(2 * time.Second)
		if after := watches(); after != before {
			t.Errorf("want %d watches as before, have %d", before, after)
		}

		zookeeper.Stop()
		down := time.Now()
		for time.Since(down) < 5*time.Minute {
			time.Sleep(time.Second)
			text := body(t, ask(s, "GET", "/readyz"), 200)
			if time.Since(down) > 10*time.Second {
				wantText(t, text, "ready\n",
					address(0)+" lost since "+registrar.State().Since.UTC().Format(time.RFC3339))
			}
		}
		if since := registrar.State().Since.Sub(down); since > 10*time.Second {
			t.Errorf("want it lost since the session's timeout, have it %v after the end of "+
				"ZooKeeper", since)
		}
		wantText(t, body(t, ask(s, "GET", "/"), 200), ">ready<", ">lost<", ">unknown<", ">0 of 1<")
		if err := zookeeper.Restart(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute / 2)
		wantText(t, body(t, ask(s, "GET", "/readyz"), 200), address(0)+" registered since ")
		wantText(t, body(t, ask(s, "GET", "/"), 200), ">live<", ">1 of 1<")
	})
}
