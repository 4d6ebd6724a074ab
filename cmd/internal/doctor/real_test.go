package doctor

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/cmd/internal/doctor/report"
	"example.com/daytime/sd/zk/session"
	"example.com/daytime/sd/zk/zktest"
)

// patience is the bound of a question to servers in Java that have just begun, on a busy machine.
const patience = 5 * time.Second

// examineWarm examines until every member answers: the first handshakes of a JVM take seconds.
func examineWarm(t testing.TB, target string) (r report.Report) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		r = examineIn(t, patience, target)
		if !has(r, want{report.Error, "member", "", ""}) || time.Now().After(deadline) {
			return r
		}
	}
}

// On an ensemble with TLS and rights for its own alone there is nothing to warn of but loopback,
// and somebody without credentials is told so.
func TestSecureEnsemble(t *testing.T) {
	pem := zktest.MakePEM(t)
	ensemble := zktest.StartEnsemble(t, 3, zktest.TLS(pem))
	var hosts []string
	for _, s := range ensemble.Servers() {
		hosts = append(hosts, s.SecureAddr())
	}
	keys := "?acl=creator&tls-ca=" + pem.CA + "&tls-cert=" + pem.ClientCert + "&tls-key=" +
		pem.ClientKey
	target := "zk://" + strings.Join(hosts, ",") + "/go_servers" + keys
	enroll(t, target, 3)
	r := examineWarm(t, target)
	if r.Count(report.Error) != 0 || r.Count(report.Warning) != 1 || !has(r, usual[3]) {
		t.Errorf("want the warning of loopback alone, have\n%s", problems(r))
	}
	for _, want := range []string{"3 members, of one ensemble, 1 leader, 2 followers",
		"of sessions that are there",
		"no member is behind", "who may steer (write the policy): x509:CN=zktest-client"} {
		if !strings.Contains(r.Text(300, true), want) {
			t.Errorf("want %q in\n%s", want, r.Text(100, true))
		}
	}

	makeNode(t, ensemble.Addrs()[0], "/private", gozk.DigestACL(gozk.PermAll, "ops", "secret"))
	wrong := filepath.Join(t.TempDir(), "auth")
	if err := os.WriteFile(wrong, []byte("ops:wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = examineIn(t, patience, "zk://"+ensemble.Addrs()[0]+"/private?auth-file="+wrong)
	if want := (want{report.Error, "directory", "/private",
		"does not allow it to the user of auth-file " + wrong}); !has(r, want) {
		t.Errorf("want %+v, have\n%s", want, problems(r))
	}
	if want := (want{report.Warning, "ensemble", ensemble.Addrs()[0],
		"names one member of an ensemble alone"}); !has(r, want) {
		t.Errorf("want %+v, have\n%s", want, problems(r))
	}
}

// makeNode makes a node with an ACL.
func makeNode(t testing.TB, server, path string, acl []gozk.ACL) {
	t.Helper()
	use(t, server, func(c *session.Conn) error {
		_, err := c.Create(path, nil, 0, acl)
		return err
	})
}

// setACL gives a node an ACL.
func setACL(t testing.TB, server, path string, acl []gozk.ACL) {
	t.Helper()
	use(t, server, func(c *session.Conn) error {
		_, err := c.SetACL(path, acl, -1)
		return err
	})
}

// use calls do with a session of its own.
func use(t testing.TB, server string, do func(*session.Conn) error) {
	t.Helper()
	s, err := session.New(session.Config{Hosts: []string{server}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Start(nil)
	c, err := s.Wait(t.Context())
	if err == nil {
		err = do(c)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// An observer that hears of changes late is told, and so is a quorum that is lost.
func TestLaggingObserver(t *testing.T) {
	ensemble := zktest.StartEnsemble(t, 4)
	servers := ensemble.Servers()
	late := makeObserver(t, ensemble, servers[3])
	target := "zk://" + strings.Join(ensemble.Addrs(), ",") + "/go_servers"
	enroll(t, target, 2)
	if r := examineWarm(t, target); r.Count(report.Error) != 0 || r.Has("lag") ||
		!strings.Contains(r.Text(300, true), "1 observer") {
		t.Errorf("want the observer well, have\n%s", r.Text(100, true))
	}
	for _, p := range late {
		p.Delay(1500 * time.Millisecond)
	}
	r := examineIn(t, patience, target)
	if want := (want{report.Error, "lag", servers[3].Addr(), "the observer is "}); !has(r, want) {
		t.Errorf("want %+v, have\n%s", want, problems(r))
	}
	for _, p := range late {
		p.Heal()
	}

	leader := ensemble.Leader(t)
	for _, s := range servers[:3] {
		if s != leader {
			s.Kill(t)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		r = examineIn(t, patience, target)
		if has(r, want{report.Error, "member", leader.Addr(), "it answers, and does not serve"}) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("want the quorum lost, have\n%s", problems(r))
		}
	}
	if got := strings.Count(problems(r), "connection refused"); got != 2 {
		t.Errorf("want two members refused, have\n%s", problems(r))
	}
}

// makeObserver has one member observe instead of vote, and hear from the others through proxies.
func makeObserver(t *testing.T, ensemble *zktest.Ensemble,
	observer *zktest.Server) (late []*zktest.Proxy) {
	t.Helper()
	ensemble.Kill(t)
	line := regexp.MustCompile(`(?m)^server\.(\d)=127\.0\.0\.1:(\d+):(\d+)$`)
	for _, s := range ensemble.Servers() {
		file := filepath.Join(filepath.Dir(s.DataDir()), "zoo.cfg")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		config := line.ReplaceAllStringFunc(string(text), func(l string) string {
			m := line.FindStringSubmatch(l)
			if m[1] == "4" {
				return l + ":observer"
			}
			if s != observer {
				return l
			}
			p := zktest.NewProxy(t, net.JoinHostPort("127.0.0.1", m[2]))
			late = append(late, p)
			_, port, _ := net.SplitHostPort(p.Addr())
			return fmt.Sprintf("server.%s=127.0.0.1:%s:%s", m[1], port, m[3])
		})
		if s == observer {
			config += "peerType=observer\n"
		}
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		s.Launch(t)
	}
	ensemble.Await(t)
	return late
}

// A server that takes no more connections of this host says nothing; the doctor says why.
func TestFullServer(t *testing.T) {
	server := zktest.Start(t, zktest.Config("maxClientCnxns=1"))
	s, err := session.New(session.Config{Hosts: []string{server.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Start(nil)
	if _, err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := examineIn(t, patience, "zk://"+server.Addr())
	if want := (want{report.Error, "member", server.Addr(), "maxClientCnxns"}); !has(r, want) {
		t.Errorf("want %+v, have\n%s", want, problems(r))
	}
}
