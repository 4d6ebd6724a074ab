package zk_test

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zkdev"
)

// inLayout runs f in a world whose directory is in the layout of another system, with each kind of
// watch.
func inLayout(t *testing.T, layout string, f func(w *world, within time.Duration)) {
	for mode, within := range map[string]time.Duration{"persistent": time.Second, "children": 40 * time.Second} {
		t.Run(mode, func(t *testing.T) {
			inWorld(t, "zk://zookeeper.example.com/go_servers?layout="+layout+"&watch="+mode, func(w *world) { f(w, within) })
		})
	}
}

// A layoutFollower follows a directory twice: as a set with attributes, and change by change.
type layoutFollower struct {
	*sd.Instancer
	*sdtest.Watching
	w *world
}

func (w *world) followLayout() *layoutFollower {
	b := w.open()
	return &layoutFollower{
		sdtest.View(w.t, b, sd.FollowPolicy()).Instancer,
		sdtest.Watch(w.t, w.open(), sd.Want{Attributes: true}), w,
	}
}

// shows waits until both have just want, each with its weight, as in "192.0.2.1:80 100".
func (f *layoutFollower) shows(within time.Duration, want ...string) {
	f.w.t.Helper()
	f.w.eventually(within, func() error {
		var have, names []string
		for _, e := range f.Entries() {
			have = append(have, fmt.Sprintf("%s %d", e.Instance, e.Attributes.EffectiveWeight()))
			names = append(names, e.Instance)
		}
		if f.Watching == nil {
			return sdtest.Same("instances", want, have)
		}
		set, _ := f.Set()
		set = slices.DeleteFunc(set, func(s string) bool { return sd.CheckInstance(s) != nil })
		return errors.Join(sdtest.Same("instances", want, have), sdtest.Same("watched", names, set), f.Err())
	})
}

func curator(address string, port, weight int, since time.Duration) []byte {
	return fmt.Appendf(nil, `{"name":"time","id":"any","address":%q,"port":%d,"sslPort":null,"registrationTimeUTC":%d,`+
		`"payload":{"metadata":{"weight":"%d"}},"serviceType":"DYNAMIC","uriSpec":null,"enabled":true}`,
		address, port, 1700000000000+since.Milliseconds(), weight)
}

// Curator's nodes are followed through joins, updates, two ids of one address, and ends.
func TestCuratorLayout(t *testing.T) {
	inLayout(t, "curator", func(w *world, within time.Duration) {
		w.Create("/go_servers/one", curator("192.0.2.1", 80, 100, 0), 0)
		w.Create("/go_servers/broken", []byte("{"), 0)
		w.SetData("/go_servers", []byte("192.0.2.99")) // as Curator's ensurePath does
		f := w.followLayout()
		f.shows(time.Second, "192.0.2.1:80 100")
		if have := f.Strangers(); f.Rejected() != 1 || len(have) != 1 || !strings.HasPrefix(have[0], "broken: curator: ") {
			t.Errorf("left out: want broken and why, counted, have %d, %q", f.Rejected(), have)
		}
		w.Create("/go_servers/two", curator("192.0.2.2", 80, 50, 0), 0)
		f.shows(within, "192.0.2.1:80 100", "192.0.2.2:80 50")

		// an update of the data: another weight, another port, disabled, enabled
		w.SetData("/go_servers/two", curator("192.0.2.2", 80, 7, 0))
		f.shows(within, "192.0.2.1:80 100", "192.0.2.2:80 7")
		w.SetData("/go_servers/two", curator("192.0.2.2", 81, 7, 0))
		f.shows(within, "192.0.2.1:80 100", "192.0.2.2:81 7")
		w.SetData("/go_servers/two", []byte(`{"address":"192.0.2.2","port":81,"enabled":false}`))
		f.shows(within, "192.0.2.1:80 100")
		if withdrew, _ := f.Left(); !slices.Contains(withdrew, "192.0.2.2:81") {
			t.Errorf("disabled by its node: want it withdrawn, have %q", withdrew)
		}
		w.SetData("/go_servers/two", curator("192.0.2.2", 81, 7, 0))
		f.shows(within, "192.0.2.1:80 100", "192.0.2.2:81 7")
		w.SetData("/go_servers/two", []byte("["))
		f.shows(within, "192.0.2.1:80 100")
		w.SetData("/go_servers/broken", curator("192.0.2.3", 80, 1, 0))
		f.shows(within, "192.0.2.1:80 100", "192.0.2.3:80 1")

		// a server that was restarted, under another id, before its old session expired
		w.Create("/go_servers/again", curator("192.0.2.1", 80, 30, time.Hour), 0)
		f.shows(within, "192.0.2.1:80 30", "192.0.2.3:80 1")
		w.Delete("/go_servers/one")
		wait.Pass(within)
		f.shows(0, "192.0.2.1:80 30", "192.0.2.3:80 1")
		w.Delete("/go_servers/again")
		f.shows(within, "192.0.2.3:80 1")
		if _, lost := f.Left(); !slices.Contains(lost, "192.0.2.1:80") {
			t.Errorf("removed: want it lost, have %q", lost)
		}
	})
}

// A child that may not be read is left out, with the reason, until it may be; one that was read
// before stays as it was.
func TestLayoutOfUnreadableChild(t *testing.T) {
	inLayout(t, "serverset", func(w *world, _ time.Duration) {
		w.LackOps(zkdev.OpMultiRead) // of which the server makes no fault for one node
		w.Create("/go_servers/member_1", []byte(`{"serviceEndpoint":{"host":"192.0.2.1","port":80},"status":"ALIVE"}`), 0)
		w.FailAll(zkdev.OpGetData, zkdev.NoAuth)
		f := w.followLayout()
		f.Watching = nil // it ends with the connection, by which the server says that it has no multiRead
		w.eventually(time.Second, func() error {
			if have := f.Strangers(); len(have) != 1 || !strings.HasPrefix(have[0], "member_1: zk: not authenticated") {
				return fmt.Errorf("left out: want member_1 and why, have %q", have)
			}
			return nil
		})
		f.shows(0)
		w.FailAll(zkdev.OpGetData, zkdev.OK)
		f.shows(40*time.Second, "192.0.2.1:80 100")
		w.FailAll(zkdev.OpGetData, zkdev.NoAuth)
		w.SetData("/go_servers/member_1", []byte(`{"serviceEndpoint":{"host":"192.0.2.2","port":80},"status":"ALIVE"}`))
		wait.Pass(time.Minute)
		f.shows(0, "192.0.2.1:80 100")
		w.FailAll(zkdev.OpGetData, zkdev.OK)
		f.shows(40*time.Second, "192.0.2.2:80 100")
	})
}

// Members of a ServerSet in the form that Finagle writes, beside its vectors.
func TestServerSetLayout(t *testing.T) {
	inLayout(t, "serverset", func(w *world, within time.Duration) {
		member := `{"serviceEndpoint":{"host":"192.0.2.%d","port":8080},"additionalEndpoints":{"http-admin":` +
			`{"host":"192.0.2.%[1]d","port":9990}},"status":"%[2]s","shard":%[1]d}`
		w.Create("/go_servers/vector_0000000000", []byte(`{"vector":[{"select":"inet:192.0.2.1","weight":0.5,"priority":1}]}`), 0)
		w.Create("/go_servers/member_0000000001", fmt.Appendf(nil, member, 1, "ALIVE"), 0)
		w.Create("/go_servers/member_0000000002", fmt.Appendf(nil, member, 2, "STARTING"), 0)
		f := w.followLayout()
		f.shows(time.Second, "192.0.2.1:8080 100")
		w.SetData("/go_servers/member_0000000002", fmt.Appendf(nil, member, 2, "ALIVE"))
		f.shows(within, "192.0.2.1:8080 100", "192.0.2.2:8080 100")
		if have := f.Entries()[1].Attributes.Tags["shard"]; have != "2" {
			t.Errorf("shard: want 2, have %q", have)
		}
		w.Delete("/go_servers/member_0000000001")
		f.shows(within, "192.0.2.2:8080 100")
		if f.Rejected() != 0 {
			t.Errorf("left out: want none, have %d, %q", f.Rejected(), f.Strangers())
		}
	})
}

// dubboGo is the name that dubbo-go writes (registry/base_registry.go of v3): parameters sorted and
// not escaped, then the whole escaped, and no data.
func dubboGo(address, parameters string) string {
	return url.QueryEscape("tri://" + address + "/org.example.Time?anyhost=true&application=time&bean.name=Time&cluster=failover" +
		"&export=true&interface=org.example.Time&loadbalance=random&methods=Now&name=time&pid=7&registry=zookeeper" +
		"&release=dubbo-golang-3.3.0&retries=&side=provider&timestamp=1700000000&warmup=" + parameters)
}

// Dubbo's names say all: no child is read, however the set changes.
func TestDubboLayoutReadsNoChild(t *testing.T) {
	inLayout(t, "dubbo", func(w *world, within time.Duration) {
		put := func(name string) { w.Create("/go_servers/"+name, nil, 0) }
		put(dubboGo("192.0.2.1:20000", ""))
		put(dubboGo("192.0.2.2:20000", "&weight=30"))
		put(dubboGo("time.example.com:20000", ""))
		f := w.followLayout()
		f.shows(time.Second, "192.0.2.1:20000 100", "192.0.2.2:20000 30")
		if have := f.Entries()[0].Attributes; have.Since.Unix() != 1700000000 || have.Tags["protocol"] != "tri" {
			t.Errorf("want its protocol and since when, have %+v", have)
		}
		if have := f.Strangers(); len(have) != 1 || !strings.HasPrefix(have[0], "tri%3A%2F%2Ftime.example.com%3A20000") ||
			!strings.Contains(have[0], `dubbo: host "time.example.com": want an IP address`) {
			t.Errorf("left out: want the host name, and why, have %q", have)
		}
		put(dubboGo("192.0.2.3:20000", "&disabled=true"))
		put(dubboGo("192.0.2.4:20000", "&version=1.0"))
		put(dubboGo("192.0.2.4:20000", "&version=2.0"))
		w.Delete("/go_servers/" + dubboGo("192.0.2.1:20000", ""))
		f.shows(within, "192.0.2.2:20000 30", "192.0.2.4:20000 100")
		w.Delete("/go_servers/" + dubboGo("192.0.2.4:20000", "&version=1.0"))
		wait.Pass(within)
		f.shows(0, "192.0.2.2:20000 30", "192.0.2.4:20000 100")
		if have := w.Requests(zkdev.OpGetData, zkdev.OpMultiRead); have != 0 {
			t.Errorf("reads of children: want none, have %d", have)
		}
	})
}

// A Watch that asks for names alone is told names alone, though their nodes are read.
func TestLayoutTellsNoAttributesUnasked(t *testing.T) {
	inLayout(t, "curator", func(w *world, within time.Duration) {
		w.Create("/go_servers/one", curator("192.0.2.1", 80, 7, 0), 0)
		f := sdtest.Watch(w.t, w.open(), sd.Want{})
		w.eventually(within, func() error { return f.Shows("192.0.2.1:80") })
		f.Mark()
		w.SetData("/go_servers/one", curator("192.0.2.1", 80, 8, 0))
		wait.Pass(within)
		if n := f.Emits(); n != 0 {
			t.Errorf("another weight: want nothing told, have %d changes", n)
		}
	})
}

// A directory in the layout of another system is only read, and each error says so.
func TestLayoutIsReadOnly(t *testing.T) {
	inWorld(t, "zk://zookeeper.example.com/go_servers?layout=dubbo", func(w *world) {
		b := w.open()
		err := b.Announce(t.Context(), sd.Entry{Instance: alice}, func(sd.Status) {})
		if !errors.Is(err, sd.ErrNoAnnounce) || !strings.Contains(err.Error(), "layout dubbo") {
			t.Errorf("announce: want %v, with the layout, have %v", sd.ErrNoAnnounce, err)
		}
		if err := b.WritePolicy(t.Context(), policy.Header, 0); !errors.Is(err, sd.ErrNoPolicy) {
			t.Errorf("write policy: want %v, have %v", sd.ErrNoPolicy, err)
		}
		if w.Requests(zkdev.OpCreate, zkdev.OpSetData) != 0 {
			t.Error("want nothing written")
		}
	})
	opened, err := zk.Open(sdtest.Target(t, "zk://192.0.2.1/time?layout=dubbo"))
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if _, err := sd.PolicyOf(opened); !errors.Is(err, sd.ErrNoPolicy) {
		t.Errorf("policy of a layout: want %v, have %v", sd.ErrNoPolicy, err)
	}
	for text, want := range map[string]string{
		"zk://192.0.2.1/time?layout=nerve": "want curator, serverset or dubbo",
		"zk://192.0.2.1?layout=curator":    "want the path",
	} {
		if _, err := zk.Open(sdtest.Target(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, have %v", text, want, err)
		}
	}
}
