package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/doctor/report"
	"example.com/daytime/cmd/internal/doctor/words"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	"example.com/daytime/sd/policy"
	"example.com/daytime/service"
	"example.com/daytime/transport/transporttest"
)

// An address that hangs takes nothing of the time of the next one.
func TestDialEach(t *testing.T) {
	hangs := netip.MustParseAddrPort(transporttest.Full(t))
	well := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), hangs.Port())
	l, err := net.Listen("tcp", well.String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := &diagnosis{Config: Config{Timeout: time.Second}}
	d.dialEach(t.Context(), []netip.Addr{hangs.Addr(), well.Addr()}, port(well.String()))
	want := []report.Severity{report.Warning, report.OK}
	for i, f := range d.Findings {
		if f.Severity != want[i] {
			t.Errorf("want %v, have %+v", want, d.Findings)
		}
	}
}

// Between two epochs of leaders nobody counts changes (a zxid is epoch<<32 + counter).
func TestLagAcrossEpochs(t *testing.T) {
	for _, test := range []struct {
		zxid int64
		want string
	}{
		{2<<32 + 1, "the observer is 6 changes behind another member"},
		{1<<32 + 9, "the observer is behind another member, which has had another leader since"},
	} {
		m := &member{host: "192.0.2.1:2181", address: "192.0.2.1:2181",
			srvr: words.Server{Version: "3.8.0", Mode: "observer", Zxid: test.zxid}}
		z := &zookeeper{diagnosis: &diagnosis{}, members: []*member{m}}
		z.tellLag([]bool{true}, 2<<32+7)
		if have := z.Findings[0].Problem; !strings.HasPrefix(have, test.want) {
			t.Errorf("want %s, have %s", test.want, have)
		}
	}
}

// Whatever the registry is: who ignores its policy is told so, if there is one.
func TestPolicyOff(t *testing.T) {
	registry := mem.NewRegistry()
	backend := registry.Open()
	defer backend.Close()
	off := want{report.Warning, "policy", "", "policy=off in --sd: who uses this target ignores it"}
	for document, told := range map[string]bool{"": false, policy.Header + "\nweight * 50\n": true} {
		registry.SetPolicy(document)
		r := Examine(t.Context(), Config{Backend: backend, Timeout: timeout,
			Target: sd.Target{Scheme: "mem", Keys: map[string]string{"policy": "off"}}})
		if has(r, off) != told {
			t.Errorf("%q: want it told: %v, have\n%s", document, told, problems(r))
		}
	}
}

// What was not seen is not told to be well: neither of names that no answer has, nor of strangers'
// nodes.
func TestNothingIsWellThatWasNotSeen(t *testing.T) {
	for name, test := range map[string]struct {
		named, anonymous int
		want             report.Severity
		text             string
	}{
		"all":  {2, 0, report.OK, "they answer under the names they are registered with"},
		"some": {1, 2, report.OK, "1 of 3 answer under the names they are registered with, the others with none"},
		"none": {0, 2, report.Unchecked, "the answers say no name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, test.named)
			for range test.anonymous {
				l := shelltest.Listen(t)
				serve(t, l, "", service.Anonymous())
				w.member(l.Addr().String())
			}
			shelltest.Enter(t, w.registry, "stranger")
			var have []string
			for _, f := range examine(t, w.target).Findings {
				if f.Check == "identity" {
					have = append(have, string(f.Severity)+": "+f.Problem)
				}
				if strings.Contains(f.Problem, "all nodes") {
					t.Errorf("want no word about strangers' nodes, have %s", f.Problem)
				}
			}
			if want := string(test.want) + ": " + test.text; len(have) != 1 || have[0] != want {
				t.Errorf("want %s, have %q", want, have)
			}
		})
	}
}

// A server that stands alone is no ensemble with those that nobody has seen.
func TestEnsembleOfWhoWasSeen(t *testing.T) {
	w := newWorld(t, 0)
	dead := transporttest.FreeAddress(t)
	r := examine(t, strings.Replace(w.target, "zk://", "zk://"+dead+",", 1))
	single := want{report.Warning, "ensemble", w.registry.Addr().String(), "a single ZooKeeper"}
	if !has(r, single) || strings.Contains(r.Text(300, true), "of one ensemble") {
		t.Errorf("want %+v, have\n%s", single, r.Text(100, true))
	}
	for _, test := range []struct {
		modes []string
		want  string
	}{
		{[]string{"leader", "follower", "follower"}, "3 members, of one ensemble, 1 leader, 2 followers"},
		{[]string{"leader", "", "follower"}, "2 of 3 members, of one ensemble, 1 leader, 1 follower"},
		{[]string{"observer", "", ""}, ""},
	} {
		z := &zookeeper{diagnosis: &diagnosis{}}
		for i, mode := range test.modes {
			host := fmt.Sprintf("192.0.2.%d:2181", i+1)
			z.how.Hosts = append(z.how.Hosts, host)
			z.members = append(z.members, &member{host: host, address: host, srvr: words.Server{Mode: mode}})
		}
		z.checkEnsemble()
		have := ""
		for _, f := range z.Findings {
			have += f.Problem
		}
		if have != test.want {
			t.Errorf("%q: want %q, have %q", test.modes, test.want, have)
		}
	}
}

// A names is a registry that holds names alone.
type names []string

func (n names) Watch(ctx context.Context, _ sd.Want, emit func(sd.Change)) error {
	emit(sd.Change{Reset: true, Up: n})
	<-ctx.Done()
	return ctx.Err()
}

func (names) Announce(context.Context, sd.Entry, func(sd.Status)) error { return sd.ErrNoAnnounce }
func (names) Close() error                                              { return nil }

// What looks like a server, and is none, is an error in each registry.
func TestNamesThatLookLikeServers(t *testing.T) {
	r := Examine(t.Context(), Config{Backend: names{"web-1:8897", "lock"}, Timeout: timeout,
		Target: sd.Target{Scheme: "other"}})
	for _, want := range []want{
		{report.Error, "name", `"web-1:8897"`, "it looks like a server, and is no instance"},
		{report.Warning, "name", `"lock"`, "no instance, so that no client calls it: not an ip:port"},
	} {
		if !has(r, want) {
			t.Errorf("want %+v, have\n%s", want, problems(r))
		}
	}
}

// Where there are no sessions, no name goes with one.
func TestAdviceOnTheDead(t *testing.T) {
	dead := transporttest.FreeAddress(t)
	r := Examine(t.Context(), Config{Backend: names{dead}, Timeout: timeout, Target: sd.Target{Scheme: "other"}})
	i := slices.IndexFunc(r.Findings, func(f report.Finding) bool { return f.Check == "answer" })
	if want := "start it again, or take it off the list"; i < 0 || r.Findings[i].Advice != want {
		t.Errorf("want the advice %s, have\n%s", want, problems(r))
	}
}
