package transporttest_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/transport/transporttest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ask connects, writes a line and reads to the end.
func ask(addr string) (reply string, err error) {
	conn, err := net.DialTimeout("tcp", addr, 300*time.Millisecond)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(300 * time.Millisecond))
	io.WriteString(conn, "hello\n")
	text, err := io.ReadAll(conn)
	return string(text), err
}

func TestHandlers(t *testing.T) {
	for name, c := range map[string]struct {
		handle func(*net.TCPConn)
		reply  string
		err    error
	}{
		"reply":  {transporttest.Reply("noon\n"), "noon\n", nil},
		"silent": {transporttest.Silent, "", os.ErrDeadlineExceeded},
		"reset":  {transporttest.Reset, "", syscall.ECONNRESET},
	} {
		reply, err := ask(transporttest.Serve(t, c.handle))
		if reply != c.reply || !errors.Is(err, c.err) {
			t.Errorf("%s: want %q and %v, have %q and %v", name, c.reply, c.err, reply, err)
		}
	}
}

func TestFreeAddressRefuses(t *testing.T) {
	if _, err := ask(transporttest.FreeAddress(t)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("want %v, have %v", syscall.ECONNREFUSED, err)
	}
}

func TestFreeAddressesDiffer(t *testing.T) {
	const n = 500
	addrs := transporttest.FreeAddresses(t, n)
	slices.Sort(addrs)
	if have := len(slices.Compact(addrs)); have != n {
		t.Errorf("want %d different addresses, have %d", n, have)
	}
}

// A certificate is good for its name, for as long as was said, to who trusts its authority.
func TestAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, other := transporttest.NewAuthority(t), transporttest.NewAuthority(t)
		a.Issue("one.example.com", -time.Minute)
		file, key := a.Issue("one.example.com", time.Hour) // replaces the first
		pair, err := tls.LoadX509KeyPair(file, key)
		if err != nil {
			t.Fatal(err)
		}
		verify := func(roots *x509.CertPool) error {
			_, err := pair.Leaf.Verify(x509.VerifyOptions{
				Roots: roots, DNSName: "one.example.com", CurrentTime: time.Now(),
			})
			return err
		}
		if err := verify(a.Pool()); err != nil {
			t.Error(err)
		}
		if verify(other.Pool()) == nil {
			t.Error("want it unknown to another authority's friends")
		}
		time.Sleep(2 * time.Hour)
		if verify(a.Pool()) == nil {
			t.Error("want it expired")
		}
	})
}

// An outcome notes how a test ended.
type outcome struct {
	testing.TB
	failed, skipped string
}

func (o *outcome) Helper()                   {}
func (o *outcome) Fatalf(f string, a ...any) { o.failed = fmt.Sprintf(f, a...) }
func (o *outcome) Skipf(f string, a ...any)  { o.skipped = fmt.Sprintf(f, a...) }

// What is missing skips a test, and fails one where it is required; both name the package.
func TestMissingPeers(t *testing.T) {
	for require, failed := range map[string]bool{"": false, "1": true} {
		t.Setenv("REQUIRE_PEERS", require)
		for name, look := range map[string]func(testing.TB) string{
			"program": func(tb testing.TB) string { return transporttest.Program(tb, "no-such", "a-package") },
			"file":    func(tb testing.TB) string { return transporttest.File(tb, "/no/such", "a-package") },
		} {
			o := &outcome{}
			look(o)
			text := o.skipped
			if failed {
				text = o.failed
			}
			if !strings.Contains(text, "apt-get install a-package") || (o.failed != "") != failed {
				t.Errorf("%s, required %q: have %+v", name, require, o)
			}
		}
	}
	if have := transporttest.Program(t, "go", "golang"); have == "" {
		t.Error("want the path of go, have none")
	}
}

// An example is a test of its own: it has no *testing.T.
type example struct {
	testing.TB
	end func()
}

func (e *example) Helper()          {}
func (e *example) Cleanup(f func()) { e.end = f }

// A client is tried on a server that sends half a line.
func Example() {
	t := &example{}
	addr := transporttest.Serve(t, transporttest.Reply("half a li"))
	reply, err := ask(addr)
	fmt.Printf("%q %v\n", reply, err)
	t.end()
	// Output: "half a li" <nil>
}
