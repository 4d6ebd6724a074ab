package doctor

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/cmd/internal/doctor/report"
	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/service"
	"example.com/daytime/transport/transporttest"
)

// A fault is one thing that is wrong in a fleet of ten, and what is to be said of it.
type fault struct {
	name  string
	alone bool // it cannot be there together with others
	plant func(*world)
}

// faults are planted one by one, and all together.
func faults() []fault {
	return []fault{
		{"a dead server that is still listed", false, func(w *world) {
			w.error("answer", w.member(transporttest.FreeAddress(w)), "connection refused")
		}},
		{"a stranger's node", false, func(w *world) {
			w.enter("config", "x")
			w.warn("name", `"config"`, "a stranger's node")
		}},
		{"a permanent node", false, func(w *world) {
			name := shelltest.Serve(w)
			shelltest.Enter(w, w.registry, name)
			w.error("owner", name, "only a person can delete it")
			w.warn("form", name, "it has no data")
		}},
		{"a host name", false, func(w *world) {
			w.enter("web-1.example.com:8897", "")
			w.error("name", "web-1.example.com:8897", "no client calls it")
		}},
		{"a name that turns text around", false, func(w *world) {
			w.enter("\u202eowned", "")
			w.warn("name", `"\u202eowned"`, "a stranger's node")
		}},
		{"a clock that is 90 s behind", false, func(w *world) {
			l := shelltest.Listen(w)
			serve(w, l, l.Addr().String(),
				service.Clock(func() time.Time { return time.Now().Add(-90 * time.Second) }))
			w.error("clock", w.member(l.Addr().String()), "its clock is 1m30s behind")
		}},
		{"a port that hangs", false, func(w *world) {
			w.error("answer", w.member(transporttest.Serve(w, transporttest.Silent)), "it hangs")
		}},
		{"a port that swallows connections", false, func(w *world) {
			w.error("answer", w.member(transporttest.Full(w)), "no connection within 1s")
		}},
		{"a server of HTTP", false, func(w *world) {
			handle := transporttest.Reply("HTTP/1.1 400 Bad Request\r\n\r\n")
			w.error("answer", w.member(transporttest.Serve(w, handle)), "it speaks HTTP")
		}},
		{"a server of SSH", false, func(w *world) {
			handle := transporttest.Reply("SSH-2.0-OpenSSH_9.2\r\n")
			w.error("answer", w.member(transporttest.Serve(w, handle)),
				"another protocol than daytime: SSH")
		}},
		{"bytes that are no text", false, func(w *world) {
			handle := transporttest.Reply("\x00\x01\x1b[2J\xff\n")
			w.error("answer", w.member(transporttest.Serve(w, handle)), "bytes that are no text")
		}},
		{"a line without a time", false, func(w *world) {
			handle := transporttest.Reply("hello\r\n")
			w.error("answer", w.member(transporttest.Serve(w, handle)), "no time")
		}},
		{"a server that hangs up", false, func(w *world) {
			w.error("answer", w.member(transporttest.Serve(w, transporttest.Reply(""))), "hangs up")
		}},
		{"loopback of another host", false, func(w *world) {
			name := shelltest.Serve(w)
			w.enter(name, document(name, "another-boot", 7))
			w.error("address", name, "another host has registered")
		}},
		{"two processes on one address", false, func(w *world) {
			name := shelltest.Serve(w)
			self := w.boot()
			w.enter(name, document(name, self, 1<<22+1))
			w.error("process", name, "two processes claim one address")
		}},
		{"one address in two spellings", false, func(w *world) {
			name := w.member(shelltest.Serve(w))
			w.enter("[::ffff:127.0.0.1]:"+port(name), "")
			w.error("process", "::ffff:127.0.0.1", "registered twice")
		}},
		{"one server under two addresses", false, func(w *world) {
			l, err := net.Listen("tcp4", "0.0.0.0:0")
			if err != nil {
				w.Fatal(err)
			}
			one := "127.0.0.1:" + port(l.Addr().String())
			two := "127.0.0.2:" + port(l.Addr().String())
			serve(w, l, one)
			w.member(one)
			w.member(two)
			w.warn("process", two, "registered 2 times with one port")
			w.error("identity", two, "it answers as "+one)
		}},
		{"data that names another address", false, func(w *world) {
			name := shelltest.Serve(w)
			w.enter(name, document("192.0.2.7:8897", w.boot(), os.Getpid()))
			w.error("form", name, `the server is at "192.0.2.7:8897"`)
		}},
		{"data in another form", false, func(w *world) {
			name := shelltest.Serve(w)
			w.enter(name, "up")
			w.warn("form", name, `"up" is no JSON object`)
		}},
		{"a weight that is not believed", false, func(w *world) {
			name := shelltest.Serve(w)
			w.enter(name, strings.Replace(document(name, "", 0), "{", `{"weight":5000,`, 1))
			w.warn("form", name, "weight 5000")
		}},
		{"lines of the policy", false, func(w *world) {
			w.steer("drain 192.0.2.77:1", "drain "+w.fleet[0]+" until=2020-01-01T00:00:00Z",
				"drian *", "weight * 70000")
			w.warn("policy", "line 2", "192.0.2.77:1")
			w.warn("policy", "line 3", "expired")
			w.error("policy", "line 4, column 1", "drian")
			w.error("policy", "line 5, column 10", "70000")
		}},
		{"an unreadable policy", true, func(w *world) {
			w.write("hello\n")
			w.error("policy", "/go_servers", "unreadable")
		}},
		{"all drained", true, func(w *world) {
			w.steer("drain *")
			w.warn("policy", "/go_servers", "it suspends itself: all 10 servers are drained")
		}},
		{"all of weight 0", true, func(w *world) {
			w.steer("weight * 0")
			w.warn("policy", "/go_servers", "weights are ignored")
		}},
		{"all with a share of nothing", true, func(w *world) {
			w.steer("share * 0%")
			w.warn("policy", "/go_servers", "servers with a share of 0% are called")
		}},
		{"a missing directory", true, func(w *world) {
			w.target = strings.Replace(w.target, "/go_servers", "/prod/go_servers", 1)
			w.error("directory", "/prod/go_servers", "there is no such directory")
		}},
		{"credentials that may not read", true, func(w *world) {
			setACL(w, w.registry.Addr().String(), "/go_servers", gozk.DigestACL(gozk.PermAll, "ops",
				"secret"))
			w.error("directory", "/go_servers", "it may not be listed")
		}},
		{"rights of a network that is everybody's", true, func(w *world) {
			setACL(w, w.registry.Addr().String(), "/go_servers",
				[]gozk.ACL{{Perms: gozk.PermAll, Scheme: "ip", ID: "0.0.0.0/0"}})
			w.warn("acl", "/go_servers", "anybody may register servers, delete servers")
		}},
		{"nobody may register", true, func(w *world) {
			setACL(w, w.registry.Addr().String(), "/go_servers", gozk.WorldACL(gozk.PermRead))
			w.error("acl", "/go_servers", "nobody may create nodes")
			w.warn("acl", "/go_servers", "nobody may change the ACL any more")
		}},
		{"nobody may change the ACL", true, func(w *world) {
			setACL(w, w.registry.Addr().String(), "/go_servers", append(gozk.DigestACL(
				gozk.PermWrite, "operator", "secret"), append(gozk.DigestACL(
				gozk.PermCreate|gozk.PermDelete, "server", "secret"),
				gozk.WorldACL(gozk.PermRead)...)...))
			w.warn("acl", "/go_servers", "nobody may change the ACL any more")
		}},
		{"a dead member", false, func(w *world) {
			dead := transporttest.FreeAddress(w)
			w.target = strings.Replace(w.target, "zk://", "zk://"+dead+",", 1)
			w.error("member", dead, "connection refused")
		}},
		{"a member that hangs", false, func(w *world) {
			hung := transporttest.Serve(w, transporttest.Silent)
			w.target = strings.Replace(w.target, "zk://", "zk://"+hung+",", 1)
			w.error("member", hung, "no answer within 1s")
		}},
		{"a member that is no ZooKeeper", false, func(w *world) {
			other := transporttest.Serve(w, transporttest.Reply("HTTP/1.1 400 Bad Request\r\n\r\n"))
			w.target = strings.Replace(w.target, "zk://", "zk://"+other+",", 1)
			w.error("member", other, "want a ZooKeeper")
		}},
		{"a member of another ensemble", true, func(w *world) {
			other, _ := shelltest.StartRegistry(w, true)
			w.target = strings.Replace(w.target, "/go_servers",
				","+other.Addr().String()+"/go_servers", 1)
			w.error("ensemble", "127.0.0.1", "not of one ensemble")
		}},
		{"a session timeout that is not granted", false, func(w *world) {
			w.target += "?session-timeout=2m"
			w.warn("session", "127.0.0.1", "a session timeout of 40s is granted, where 2m0s was "+
				"asked for")
		}},
		{"a session timeout that is not granted, by one that is slow", true, func(w *world) {
			w.target += "?session-timeout=1s"
			w.registry.Slow(430 * time.Millisecond) // of 4 s a tenth, and less than half of the timeout
			w.Cleanup(func() { w.registry.Slow(0) })
			w.warn("session", "127.0.0.1", "a session timeout of 4s is granted, where 1s was asked for")
			w.warn("latency", "127.0.0.1", "a tenth of the session timeout or more")
		}},
		{"a member that is read-only", false, func(w *world) {
			member := transporttest.Serve(w, func(conn *net.TCPConn) { // it closes who wants to write
				word := make([]byte, 4)
				if io.ReadFull(conn, word); string(word) == "srvr" {
					fmt.Fprint(conn, "Zookeeper version: 3.8.0-0, built on 1\nZxid: 0x1\nMode: read-only\n")
				}
			})
			w.target = strings.Replace(w.target, "zk://", "zk://"+member+",", 1)
			w.error("member", member, "it is read-only: it has lost the quorum")
		}},
		{"a registry that is down", true, func(w *world) {
			w.registry.Stop()
			w.Cleanup(func() { w.registry.Restart() })
			w.error("member", "127.0.0.1", "connection refused")
		}},
		{"a registry that is frozen", true, func(w *world) {
			w.registry.Freeze()
			w.Cleanup(w.registry.Thaw)
			w.error("member", "127.0.0.1", "no answer within 1s")
		}},
	}
}

func port(addr string) string { return strconv.Itoa(int(netip.MustParseAddrPort(addr).Port())) }

// Each fault alone is named with its cause, and nothing else is.
func TestFaultsAlone(t *testing.T) {
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 10)
			f.plant(w)
			r := examine(t, w.target)
			for _, want := range w.wants {
				if !has(r, want) {
					t.Errorf("want %+v, have\n%s", want, problems(r))
				}
			}
			w.wants = append(w.wants, usual...)
			for _, finding := range r.Findings {
				expected := func(w want) bool {
					return w.severity == finding.Severity &&
						has(only1(finding), w)
				}
				if bad := finding.Severity == report.Error ||
					finding.Severity == report.Warning; bad && !anyOf(w.wants, expected) {
					t.Errorf("want no more than was planted, have %s %s: %s: %s", finding.Severity,
						finding.Check, finding.Subject, finding.Problem)
				}
			}
		})
	}
}

// usual are the warnings about a fleet with all the defaults, on one machine.
var usual = []want{
	{report.Warning, "ensemble", "127.0.0.1", "a single ZooKeeper"},
	{report.Warning, "tls", "zk://", "no TLS"},
	{report.Warning, "acl", "/go_servers", "anybody may"},
	{report.Warning, "address", "127.0.0.1", "on loopback, as the registry is"},
}

func only1(f report.Finding) report.Report { return report.Report{Findings: []report.Finding{f}} }

func anyOf(wants []want, is func(want) bool) bool {
	for _, w := range wants {
		if is(w) {
			return true
		}
	}
	return false
}

// All faults that go together are named when they are there together.
func TestFaultsTogether(t *testing.T) {
	w := newWorld(t, 10)
	planted := map[string][]want{}
	for _, f := range faults() {
		if !f.alone {
			before := len(w.wants)
			f.plant(w)
			planted[f.name] = w.wants[before:]
		}
	}
	r := examine(t, w.target)
	named := 0
	for name, wants := range planted {
		missed := anyOf(wants, func(w want) bool { return !has(r, w) })
		if missed {
			t.Errorf("%s: want %+v, have\n%s", name, wants, problems(r))
		} else {
			named++
		}
	}
	t.Logf("%d of %d faults named, in %v", named, len(planted), r.Took)
	if !r.Failed() {
		t.Error("want errors")
	}
}

// A fleet with all the defaults is healthy, and so is a slow one.
func TestHealthy(t *testing.T) {
	for name, change := range map[string]func(*world){
		"defaults": func(*world) {},
		"a registry that takes 300 ms": func(w *world) {
			w.registry.Slow(300 * time.Millisecond)
			w.Cleanup(func() { w.registry.Slow(0) })
		},
		"a slow server": func(w *world) {
			l := shelltest.Listen(w)
			serve(w, l, l.Addr().String(), service.Clock(func() time.Time {
				time.Sleep(200 * time.Millisecond)
				return time.Now()
			}))
			w.member(l.Addr().String())
		},
		"a policy": func(w *world) {
			w.steer("drain "+w.fleet[0], "weight "+w.fleet[1]+" 10",
				"withdraw 192.0.2.9:1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 10)
			change(w)
			r := examine(t, w.target)
			if r.Failed() || r.Count(report.Warning) != len(usual) {
				t.Errorf("want the usual warnings alone, have\n%s", problems(r))
			}
			for _, want := range usual {
				if !has(r, want) {
					t.Errorf("want %+v, have\n%s", want, problems(r))
				}
			}
		})
	}
}

// What is wrong with a node of another system is not that its name is no address.
func TestNodeOfAnotherSystem(t *testing.T) {
	w := newWorld(t, 0)
	w.enter("tri%3A%2F%2Ftime.example.com%3A20000%2Forg.example.Time%3Fanyhost%3Dtrue", "")
	r := examine(t, w.target+"?layout=dubbo")
	if !has(r, want{report.Warning, "name", "tri%3A%2F%2Ftime", "dubbo: host \"time.example.com\": want an IP address"}) ||
		has(r, want{report.Warning, "name", "", "ip:port"}) {
		t.Errorf("want the reason, have\n%s", problems(r))
	}
}

// A thousand servers take seconds, and a fault among them is named.
func TestThousandServers(t *testing.T) {
	w := newWorld(t, 0)
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // each address is a server of its own
				defer conn.Close()
				fmt.Fprintf(conn, "%v: %s\r\n", conn.LocalAddr(),
					time.Now().UTC().Format(time.RFC3339))
				conn.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, conn)
			}()
		}
	}()
	for i := range 1000 {
		name := fmt.Sprintf("127.0.%d.%d:%s", 1+i/250, 1+i%250, port(l.Addr().String()))
		w.enter(name, document(name, "", 0))
	}
	dead := transporttest.FreeAddress(t)
	w.enter(dead, document(dead, "", 0))
	r := examine(t, w.target)
	if r.Count(report.Error) != 1 || !has(r, want{report.Error, "answer", dead,
		"connection refused"}) {
		t.Errorf("want the dead one alone, have\n%s", problems(r))
	}
	if t.Logf("%d servers in %v", r.Servers, r.Took); r.Took > 30*time.Second {
		t.Errorf("want seconds, have %v", r.Took)
	}
}

// An ACL that follows the advice is well, and can be changed again.
func TestAdviceOnTheACL(t *testing.T) {
	w := newWorld(t, 1)
	r := examine(t, w.target)
	i := slices.IndexFunc(r.Findings, func(f report.Finding) bool { return f.Check == "acl" })
	const advised = "digest:operator:...:wa, digest:server:...:cd, world:anyone:r"
	if i < 0 || !strings.HasSuffix(r.Findings[i].Advice, advised) {
		t.Fatalf("want %q advised, have %+v", advised, r.Findings)
	}
	acl := gozk.DigestACL(gozk.PermWrite|gozk.PermAdmin, "operator", "secret")
	acl = append(acl, gozk.DigestACL(gozk.PermCreate|gozk.PermDelete, "server", "secret")...)
	setACL(t, w.registry.Addr().String(), "/go_servers", append(acl,
		gozk.WorldACL(gozk.PermRead)...))
	if r := examine(t, w.target); r.Has("acl") {
		t.Errorf("want nothing about the ACL, have\n%s", problems(r))
	}
}

// The lines that withdraw are told, and that one which matches nobody may be about withdrawn
// servers.
func TestWithdrawnServers(t *testing.T) {
	w := newWorld(t, 2)
	w.steer("withdraw zone=b by=root", "drain zone=b", "withdraw v=2 until=2020-01-01T00:00:00Z")
	r := examine(t, w.target)
	told := []string{}
	for _, f := range r.Findings {
		if f.Severity == report.OK && strings.HasPrefix(f.Problem, "in force: ") {
			told = append(told, f.Subject+": "+f.Problem)
		}
	}
	wantTold := "line 2: in force: withdraw zone=b by=root; withdrawn servers are not registered, " +
		"and not counted"
	if strings.Join(told, "\n") != wantTold {
		t.Errorf("want %q told, have %q", wantTold, told)
	}
	unmatched := want{report.Warning, "policy", "line 3",
		"unless it is withdrawn, by line 2 withdraw zone=b"}
	if !has(r, unmatched) {
		t.Errorf("want %+v, have\n%s", unmatched, problems(r))
	}
}
