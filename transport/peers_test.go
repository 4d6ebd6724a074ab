package transport_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/endpoint"
	"example.com/daytime/service"
	"example.com/daytime/transport"
	"example.com/daytime/transport/transporttest"
)

// rfc867Server serves the first example of RFC 867, which old clients expect, without our name.
func rfc867Server(t *testing.T) (addr, line string) {
	epoch := time.Date(1982, time.February, 22, 17, 37, 43, 0, time.FixedZone("PST", -8*60*60))
	layout, err := service.ParseFormat("rfc867")
	if err != nil {
		t.Fatal(err)
	}
	clock := service.Clock(func() time.Time { return epoch })
	svc := service.New("", service.Anonymous(), service.Format(layout), clock)
	server := startServer(t, transport.NewDaytimeServer(endpoint.New(svc), kitlog.NewNopLogger()))
	return server.addr, "Monday, February 22, 1982 17:37:43-PST"
}

// output runs a peer and returns its output.
func output(t *testing.T, stdin, path string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s: %v: %s", path, err, stderr.String())
	}
	return string(out)
}

func TestNetcatReadsOurServer(t *testing.T) {
	nc := transporttest.Program(t, "nc", "netcat-openbsd")
	addr, line := rfc867Server(t)
	host, port, _ := net.SplitHostPort(addr)
	for _, request := range []string{"", "\n", "timestamp"} {
		for range 20 {
			if want, have := line+"\r\n", output(t, request, nc, host, port); have != want {
				t.Fatalf("request %q: want %q, have %q", request, want, have)
			}
		}
	}
}

// Net::Time writes a line end first; its recv fails on a reset, and then it returns nothing.
func TestPerlReadsOurServer(t *testing.T) {
	perl := transporttest.Program(t, "perl", "perl")
	addr, line := rfc867Server(t)
	const script = `use Net::Time 'inet_daytime';
		for (1..20) { print inet_daytime($ARGV[0], 'tcp', 5) // "nothing: $!\n" }`
	want := strings.Repeat(line+"\r\n", 20)
	if have := output(t, "", perl, "-e", script, addr); have != want {
		t.Errorf("want %q, have %q", want, have)
	}
}

// startXinetd serves RFC 867 with xinetd until the end of the test.
func startXinetd(t *testing.T) (addr string) {
	t.Helper()
	xinetd := transporttest.Program(t, "xinetd", "xinetd")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // xinetd wants to know its port beforehand
	addr = l.Addr().String()
	dir := t.TempDir()
	config := filepath.Join(dir, "xinetd.conf")
	text := fmt.Sprintf(`service daytime
{
	type        = INTERNAL UNLISTED
	id          = daytime-stream
	socket_type = stream
	protocol    = tcp
	wait        = no
	user        = %s
	bind        = 127.0.0.1
	port        = %d
	cps         = 10000 1
}
`, me.Username, l.Addr().(*net.TCPAddr).Port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	cmd := exec.Command(xinetd, "-dontfork", "-stayalive", "-f", config,
		"-pidfile", filepath.Join(dir, "pid"), "-filelog", filepath.Join(dir, "log"))
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("xinetd: %s", log.String())
		}
	})
	within(t, "xinetd to listen", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		defer conn.Close()
		reply, _ := io.ReadAll(conn)
		return len(reply) > 0
	})
	return addr
}

// xinetd closes without reading, so that talking to it ends in a reset; the line is there before
// it.
func TestClientReadsXinetd(t *testing.T) {
	addr := startXinetd(t)
	line := regexp.MustCompile(`^\d\d [A-Z]{3} \d{4} \d\d:\d\d:\d\d [A-Z]+$`)
	for _, request := range []string{"", "\n", "timestamp"} {
		ask, _, err := transport.Factory(transport.Request(request))(addr)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			have, err := (endpoint.Set{DaytimeEndpoint: ask}).Daytime(t.Context())
			if err != nil || !line.MatchString(have) {
				t.Fatalf("request %q: want a date, have %q, %v", request, have, err)
			}
		}
	}
}
