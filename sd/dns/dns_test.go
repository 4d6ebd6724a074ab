package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
	mdns "github.com/miekg/dns"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Lacks says that it can be read, and nothing else.
func (directory) Lacks() sdtest.Lacks {
	return sdtest.Lacks{Announce: true, Withdrew: true, Policy: true}
}

func TestConformance(t *testing.T) {
	in := func(t *testing.T, f func(*testing.T)) { f(t) }
	sdtest.Run(t, in, func(t testing.TB) sdtest.Harness { return newDirectory(t) })
}

// A follower is a Watch in the background.
type follower struct {
	*sdtest.Watching
	t testing.TB
}

func follow(t testing.TB, b *Backend) *follower {
	return &follower{sdtest.Watch(t, b, sd.Want{}), t}
}

// shows waits until the set is want.
func (f *follower) shows(want ...string) {
	f.t.Helper()
	sdtest.Eventually(f.t, 3*time.Second, func() error { return f.Shows(want...) })
}

// fails waits for the end of the watch, and checks that its error says want.
func (f *follower) fails(want string) {
	f.t.Helper()
	if err := f.End(); err == nil || !strings.Contains(err.Error(), want) {
		f.t.Errorf("want an error with %q, have %v", want, err)
	}
}

const (
	alice = "192.0.2.1:8897"
	bob   = "192.0.2.2:8898"
	carol = "[2001:db8::3]:8897"
)

// The instances of SRV records are all addresses of their targets, through aliases as well.
func TestServices(t *testing.T) {
	z := newZone(t,
		"svc.example.com. 60 IN CNAME "+service,
		service+" 60 IN SRV 10 5 8897 a.example.com.",
		service+" 60 IN SRV 20 5 8898 B.example.com.",
		service+" 60 IN SRV 20 5 8899 nowhere.example.com.",
		"a.example.com. 60 IN A 192.0.2.1",
		"a.example.com. 60 IN AAAA 2001:db8::3",
		"b.example.com. 60 IN CNAME c.example.com.",
		"c.example.com. 60 IN A 192.0.2.2")
	for _, name := range []string{service, "_DAYTIME._tcp.example.com", "svc.example.com"} {
		f := follow(t, z.open(t, name, ""))
		f.shows(alice, bob, carol)
		f.Stop()
	}
}

// With a port the instances are addresses.
func TestAddresses(t *testing.T) {
	z := newZone(t, "a.example.com. 60 IN A 192.0.2.1", "a.example.com. 60 IN AAAA 2001:db8::3")
	f := follow(t, z.open(t, "a.example.com", "&port=8897"))
	f.shows(alice, carol)
	f.Stop()
}

// Nothing under a name is the empty set; no name is none.
func TestEmptyAndMissing(t *testing.T) {
	z := newZone(t, "a.example.com. 60 IN TXT exists", service+" 60 IN SRV 0 0 0 .")
	empty := follow(t, z.open(t, "a.example.com", "&port=8897"))
	empty.shows()
	disowned := follow(t, z.open(t, service, ""))
	disowned.shows()
	b := z.open(t, "b.example.com", "&port=8897")
	missing := follow(t, b)
	<-time.After(300 * time.Millisecond)
	if err := b.Err(); !errors.Is(err, sd.ErrNoDirectory) || err.Error() != "dns: b.example.com.: no such name" {
		t.Errorf("name that does not exist: want it said, have %v", err)
	}
	if have, known := missing.Set(); known {
		t.Errorf("name that does not exist: want unknown, have %q", have)
	}
	z.add(t, "b.example.com. 60 IN A 192.0.2.1")
	missing.shows(alice)
	z.remove("b.example.com.")
	missing.fails(errNoName.Error())
	if err := missing.Is(alice); err != nil {
		t.Errorf("name that is gone: %v", err)
	}
	empty.Stop()
	disowned.Stop()
}

// A resolver that fails ends the watch with the reason, and never changes the set.
func TestResolverFails(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(mdns.ResponseWriter, *mdns.Msg)
		want   string
	}{
		"SERVFAIL":                   {rcode(mdns.RcodeServerFailure), "SERVFAIL"},
		"REFUSED":                    {rcode(mdns.RcodeRefused), "REFUSED"},
		"REFUSED in a header alone":  {header(mdns.RcodeRefused), "REFUSED"},
		"NXDOMAIN in a header alone": {header(mdns.RcodeNameError), "no answer in time"},
		"silence":                    {silence, "no answer in time"},
		"lame":                       {lame, errLame.Error()},
		"another question": {func(w mdns.ResponseWriter, q *mdns.Msg) {
			other := new(mdns.Msg).SetQuestion("other.example.com.", q.Question[0].Qtype)
			other.Id = q.Id
			w.WriteMsg(new(mdns.Msg).SetReply(other))
		}, "no answer in time"},
		"garbage": {func(w mdns.ResponseWriter, q *mdns.Msg) { w.Write([]byte("garbage, or so")) }, "no answer"},
		"one target of two": {func(w mdns.ResponseWriter, q *mdns.Msg) {
			if q.Question[0].Qtype != mdns.TypeSRV {
				rcode(mdns.RcodeServerFailure)(w, q)
				return
			}
			reply := new(mdns.Msg).SetReply(q)
			srv, _ := mdns.NewRR(service + " 60 IN SRV 0 0 8897 a.example.com.")
			reply.Answer = []mdns.RR{srv}
			w.WriteMsg(reply)
		}, "SERVFAIL"},
		"no address at all": {func(w mdns.ResponseWriter, q *mdns.Msg) {
			reply := new(mdns.Msg).SetReply(q)
			srv, _ := mdns.NewRR(service + " 60 IN SRV 0 0 8897 a.example.com.")
			reply.Answer = []mdns.RR{srv}
			if q.Question[0].Qtype != mdns.TypeSRV {
				reply = new(mdns.Msg).SetRcode(q, mdns.RcodeNameError)
			}
			w.WriteMsg(reply)
		}, errAddresses.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirectory(t)
			d.Put(alice)
			f := follow(t, d.open(t, service, ""))
			f.shows(alice)
			d.instead(test.answer)
			f.fails(test.want)
			if err := f.Is(alice); err != nil {
				t.Error(err)
			}
		})
	}
}

// An answer that does not fit is asked for over TCP, and never half of it is a set.
func TestTruncated(t *testing.T) {
	for _, n := range []int{10, 100, 500} {
		d := newDirectory(t)
		var want []string
		for m := range n {
			want = append(want, fmt.Sprintf("192.0.2.%d:%d", m%250+1, 8000+m))
			d.Put(want[m])
		}
		f := follow(t, d.open(t, service, ""))
		f.shows(want...)
		f.Stop()
		if f.Emits() != 1 {
			t.Errorf("%d instances: want one emit, have %d", n, f.Emits())
		}
		t.Logf("%d instances: %d questions over UDP, %d over TCP", n, d.count("udp"), d.count("tcp"))
	}
}

// An answer that is truncated within a record is asked for again as well.
func TestTruncatedWithinARecord(t *testing.T) {
	d := newDirectory(t)
	d.Put(alice)
	d.Put(bob)
	d.instead(func(w mdns.ResponseWriter, q *mdns.Msg) {
		d.mu.Lock()
		defer d.mu.Unlock()
		reply := d.reply(q)
		if w.LocalAddr().Network() == "tcp" {
			w.WriteMsg(reply)
			return
		}
		reply.Truncated = true
		packed, err := reply.Pack()
		if err != nil {
			t.Error(err)
		}
		w.Write(packed[:len(packed)-5])
	})
	f := follow(t, d.open(t, service, ""))
	f.shows(alice, bob)
	f.Stop()
}

// A server that sends more in a datagram than was asked for has answered.
func TestLongDatagram(t *testing.T) {
	d := newDirectory(t)
	var want []string
	for n := range 100 {
		want = append(want, fmt.Sprintf("192.0.2.%d:8897", n+1))
		d.Put(want[n])
	}
	d.instead(func(w mdns.ResponseWriter, q *mdns.Msg) {
		d.mu.Lock()
		defer d.mu.Unlock()
		w.WriteMsg(d.reply(q))
	})
	f := follow(t, d.open(t, service, ""))
	f.shows(want...)
	f.Stop()
	if n := d.count("tcp"); n > 0 {
		t.Errorf("want no question over TCP, have %d", n)
	}
}

// A server that does not know EDNS is asked without.
func TestWithoutEDNS(t *testing.T) {
	for name, refuse := range map[string]func(mdns.ResponseWriter, *mdns.Msg){
		"with the question": rcode(mdns.RcodeFormatError),
		"a header alone":    header(mdns.RcodeFormatError),
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirectory(t)
			d.Put(alice)
			d.instead(func(w mdns.ResponseWriter, q *mdns.Msg) {
				if q.IsEdns0() != nil {
					refuse(w, q)
					return
				}
				d.mu.Lock()
				defer d.mu.Unlock()
				w.WriteMsg(d.reply(q))
			})
			f := follow(t, d.open(t, service, ""))
			f.shows(alice)
			f.Stop()
		})
	}
}

// The next server is asked when one does not answer, refuses, or knows only others to ask.
func TestNextServer(t *testing.T) {
	dead, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()
	good, bad, other := newDirectory(t), newDirectory(t), newDirectory(t)
	good.Put(alice)
	bad.instead(rcode(mdns.RcodeServerFailure))
	other.instead(lame)
	b := good.open(t, service, "")
	b.resolver.given = []string{bad.address, other.address, dead.LocalAddr().String(), good.address}
	f := follow(t, b)
	f.shows(alice)
	names, fastest := []string{alice}, time.Hour // of three changes: a busy machine may delay one
	for _, name := range []string{bob, "192.0.2.3:8897", "192.0.2.4:8897"} {
		good.Put(name) // the one that answers is asked first now
		began := time.Now()
		names = append(names, name)
		f.shows(names...)
		fastest = min(fastest, time.Since(began))
	}
	if fastest > 800*time.Millisecond {
		t.Errorf("want a change within 0.8 s, have it after %v at best", fastest)
	}
	f.Stop()
}

// The DNS is asked again when the TTL is over, and not before.
func TestTTL(t *testing.T) {
	z := newZone(t, "a.example.com. 2 IN A 192.0.2.1")
	b := z.open(t, "a.example.com", "&port=8897")
	b.interval = 0
	f := follow(t, b)
	f.shows(alice)
	changed := time.Now()
	z.add(t, "a.example.com. 3600 IN A 192.0.2.2")
	f.shows(alice, "192.0.2.2:8897")
	if took := time.Since(changed); took < 1500*time.Millisecond {
		t.Errorf("want the change seen after the TTL of 2s, have it after %v", took)
	}
	if n := z.count("udp A "); n != 2 {
		t.Errorf("want the name asked for twice, have %d times", n)
	}
	f.Stop()
}

// Small servers do not say for how long there is no address of the other kind: the addresses do.
func TestTTLOfOneKind(t *testing.T) {
	z := newZone(t, service+" 60 IN SRV 0 0 8897 a.example.com.", "a.example.com. 60 IN A 192.0.2.1")
	z.instead(func(w mdns.ResponseWriter, q *mdns.Msg) {
		z.mu.Lock()
		defer z.mu.Unlock()
		reply := z.reply(q)
		reply.Ns = nil
		w.WriteMsg(reply)
	})
	for name, keys := range map[string]string{service: "", "a.example.com": "&port=8897"} {
		if _, ttl, err := z.open(t, name, keys).read(t.Context()); ttl != time.Minute || err != nil {
			t.Errorf("%s: want it kept for 1m, have %v, %v", name, ttl, err)
		}
	}
	z.remove("a.example.com.")
	z.add(t, "a.example.com. 60 IN TXT exists")
	if _, ttl, err := z.open(t, "a.example.com", "&port=8897").read(t.Context()); ttl != 0 || err != nil {
		t.Errorf("no address: want it kept for no time, have %v, %v", ttl, err)
	}
}

// A server that does not follow aliases says in another answer for how long the addresses may be
// kept.
func TestTTLBehindAnAlias(t *testing.T) {
	z := newZone(t, "a.example.com. 60 IN CNAME b.example.com.", "b.example.com. 30 IN A 192.0.2.1")
	z.instead(func(w mdns.ResponseWriter, q *mdns.Msg) {
		z.mu.Lock()
		defer z.mu.Unlock()
		reply := z.reply(q)
		isOthers := func(rr mdns.RR) bool { return rr.Header().Name != q.Question[0].Name }
		reply.Answer, reply.Ns = slices.DeleteFunc(reply.Answer, isOthers), nil
		w.WriteMsg(reply)
	})
	all, ttl, err := z.open(t, "a.example.com", "&port=8897").read(t.Context())
	if len(all) != 1 || ttl != 30*time.Second || err != nil {
		t.Errorf("want one address for 30s, have %v for %v, %v", all, ttl, err)
	}
}

func TestPause(t *testing.T) {
	for _, test := range []struct{ interval, ttl, want time.Duration }{
		{0, 0, minTTL},
		{0, time.Minute, time.Minute},
		{0, 24 * time.Hour, maxTTL},
		{30 * time.Second, 5 * time.Second, 5 * time.Second},
		{30 * time.Second, time.Minute, 30 * time.Second},
		{100 * time.Millisecond, 0, 100 * time.Millisecond},
	} {
		b := Backend{interval: test.interval}
		if have := b.pause(test.ttl); have != test.want {
			t.Errorf("interval %v, TTL %v: want %v, have %v", test.interval, test.ttl, test.want, have)
		}
	}
}

// A watch ends at once, also while it waits for a resolver that is silent.
func TestEndsAtOnce(t *testing.T) {
	d := newDirectory(t)
	d.instead(silence)
	b := d.open(t, service, "")
	f, g := follow(t, b), follow(t, b)
	<-time.After(50 * time.Millisecond)
	f.Stop()
	b.Close()
	g.fails(sd.ErrClosed.Error())
}

func TestOnlyDiscovers(t *testing.T) {
	b := newDirectory(t).open(t, service, "")
	err := b.Announce(t.Context(), sd.Entry{Instance: alice}, nil)
	if !errors.Is(err, errNoAnnounce) {
		t.Errorf("announce: want %v, have %v", errNoAnnounce, err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Announce(done, sd.Entry{Instance: alice}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("withdraw: want %v, have %v", context.Canceled, err)
	}
}

func TestWrongTargets(t *testing.T) {
	for target, want := range map[string]string{
		"dns://192.0.2.53":                            "want a name",
		"dns://192.0.2.53/":                           "want a name",
		"dns://192.0.2.53/a/b":                        "no slash",
		"dns://192.0.2.53/a..b":                       "domain name",
		"dns://192.0.2.53/a..b.c":                     "domain name",
		"dns://192.0.2.53/a?interval=1ms":             "interval",
		"dns://192.0.2.53/a?interval=1":               "interval",
		"dns://192.0.2.53/a?port=0":                   "port",
		"dns://192.0.2.53/a?port=http":                "port",
		"dns://192.0.2.53/a?ttl=1s":                   "key",
		"dns://192.0.2.53/" + strings.Repeat("a", 64): "domain name",
	} {
		parsed, err := sd.ParseTarget(target)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Open(parsed)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), grammar) {
			t.Errorf("%s: want an error with %q and the grammar, have %v", target, want, err)
		}
	}
}
