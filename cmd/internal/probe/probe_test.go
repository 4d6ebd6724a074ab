package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/daytime/transport"
	"example.com/daytime/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A server that tells the time is asked three times, and the fastest answer counts.
func ExampleAsk() {
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(conn, "%s: %s\r\n", l.Addr(),
				time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
			conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, conn)
			conn.Close()
		}
	}()
	answer := Ask(context.Background(), l.Addr().String())
	fmt.Println(answer.Err, answer.Clock.Known, answer.Clock.Offset.Round(time.Hour))
	// Output: <nil> true 1h0m0s
}

// look is what is said of a handler of connections.
func look(t *testing.T, handle func(*net.TCPConn)) Finding {
	return lookAt(t, transporttest.Serve(t, handle))
}

func lookAt(t *testing.T, addr string, options ...transport.ClientOption) Finding {
	t.Helper()
	options = append(options, transport.ClientTimeout(300*time.Millisecond))
	return Look(t.Context(), addr, Ask(t.Context(), addr, options...), 300*time.Millisecond)
}

// afterLine says text once a line has come, as servers do whose client speaks first.
func afterLine(text string) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		if _, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
			io.WriteString(conn, text)
		}
		conn.CloseWrite()
		io.Copy(io.Discard, conn)
	}
}

// What is no daytime server is told by what it is.
func TestNature(t *testing.T) {
	now := time.Now().UTC()
	for name, c := range map[string]struct {
		handle func(*net.TCPConn)
		want   Nature
	}{
		"our own form": {transporttest.Reply("192.0.2.1:8897: " +
			now.Format(time.RFC3339) + "\r\n"), Daytime},
		"RFC 867": {transporttest.Reply("Sunday, February 22, 1982 " +
			"17:37:43-PST\r\n"), Unclear},
		"NIST": {transporttest.Reply("\n60000 26-11-28 06:30:57 00 0 0 500.0 " +
			"UTC(NIST) * \n"), Unclear},
		"our name, another form": {transporttest.Reply("192.0.2.1:8897: noon\r\n"), Unclear},
		"a line without a time":  {transporttest.Reply("hello\r\n"), NoTime},
		"bytes":                  {transporttest.Reply("\x00\x01\x02\x1b[31m\xff\n"), Garbage},
		"silent":                 {transporttest.Silent, Silent},
		"empty":                  {transporttest.Reply(""), Empty},
		"blank lines":            {transporttest.Reply("\r\n \r\n"), Empty},
		"reset":                  {transporttest.Reset, Reset},
		"endless":                {transporttest.Reply(fmt.Sprintf("%0500d", 7)), Endless},
		"SSH":                    {transporttest.Reply("SSH-2.0-OpenSSH_9.2\r\n"), Other},
		"SMTP":                   {transporttest.Reply("220 mail.example.com ESMTP\r\n"), Other},
		"Redis":                  {afterLine("-ERR unknown command\r\n"), Other},
		"echo":                   {func(conn *net.TCPConn) { io.Copy(conn, conn) }, Echo},
		"HTTP that waits":        {afterLine("HTTP/1.1 400 Bad Request\r\n\r\n"), HTTP},
		"HTTP that is quick": {transporttest.Reply("HTTP/1.1 408 Request Timeout\r\n\r\n"),
			HTTP},
	} {
		t.Run(name, func(t *testing.T) {
			if have := look(t, c.handle); have.Nature != c.want {
				t.Errorf("want %s, have %+v", c.want, have)
			}
		})
	}
}

// Addresses at which there is no server at all.
func TestNatureOfNobody(t *testing.T) {
	for addr, want := range map[string]Nature{
		transporttest.FreeAddress(t): Refused,
		transporttest.Full(t):        NoConnect,
	} {
		if have := lookAt(t, addr); have.Nature != want {
			t.Errorf("%s: want %s, have %+v", addr, want, have)
		}
	}
	noRoute := &transport.Error{Err: fmt.Errorf("%w: %w", transport.ErrConnect,
		syscall.ENETUNREACH)}
	if have := Look(t.Context(), "192.0.2.1:1", Answer{Err: noRoute},
		time.Second); have.Nature != Unreachable {
		t.Errorf("want no way there, have %+v", have)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	addr := transporttest.FreeAddress(t)
	if have := Look(ctx, addr, Ask(ctx, addr), time.Second); have.Nature != Local {
		t.Errorf("want our own end no fault of a server, have %+v", have)
	}
}

// Servers of HTTP and TLS as they are written by others.
func TestNatureOfWebServers(t *testing.T) {
	quiet := log.New(io.Discard, "", 0)
	start := func(secure bool) string {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = quiet
		if secure {
			server.StartTLS()
		} else {
			server.Start()
		}
		t.Cleanup(server.Close)
		return server.Listener.Addr().String()
	}
	if have := lookAt(t, start(false)); have.Nature != HTTP {
		t.Errorf("want HTTP, have %+v", have)
	}
	if have := lookAt(t, start(true)); have.Nature != TLS {
		t.Errorf("want TLS, have %+v", have)
	}
}

// A client that wants TLS is told whether there is none, or no proof.
func TestNatureForTLS(t *testing.T) {
	ours, theirs := transporttest.NewAuthority(t), transporttest.NewAuthority(t)
	source, err := transport.TLSFiles{CA: ours.File}.Client()
	if err != nil {
		t.Fatal(err)
	}
	wants := transport.ClientTLS("daytime.example.com", source)
	clear := transporttest.Serve(t,
		transporttest.Reply(time.Now().UTC().Format(time.RFC3339)+"\r\n"))
	if have := lookAt(t, clear, wants); have.Nature != Clear {
		t.Errorf("want clear text, have %+v", have)
	}
	cert, key := theirs.Issue("daytime.example.com", time.Hour)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	strange := transporttest.Serve(t, func(conn *net.TCPConn) {
		tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{pair}}).Handshake()
	})
	if have := lookAt(t, strange, wants); have.Nature != Untrusted {
		t.Errorf("want an unknown authority, have %+v", have)
	}
}

// What has nothing to do with its certificate is not blamed on it, though it speaks TLS.
func TestNatureOfTrustedServers(t *testing.T) {
	ours := transporttest.NewAuthority(t)
	source, err := transport.TLSFiles{CA: ours.File}.Client()
	if err != nil {
		t.Fatal(err)
	}
	cert, key := ours.Issue("daytime.example.com", time.Hour)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	serve := func(change func(*tls.Config)) func(*net.TCPConn) {
		config := &tls.Config{Certificates: []tls.Certificate{pair}}
		change(config)
		return func(conn *net.TCPConn) {
			tls.Server(conn, config).Handshake()
			conn.CloseWrite()
			io.Copy(io.Discard, conn) // what is not read resets the connection, and its alert
		}
	}
	good := serve(func(*tls.Config) {})
	var calls atomic.Int64
	for name, c := range map[string]struct {
		handle func(*net.TCPConn)
		want   Nature
	}{
		"wants our certificate": {serve(func(c *tls.Config) {
			c.ClientAuth = tls.RequireAndVerifyClientCert
		}), Unwelcome},
		"speaks another protocol": {serve(func(c *tls.Config) { c.NextProtos = []string{"h2"} }), Unwelcome},
		"has too many handshakes": {serve(func(c *tls.Config) {
			c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
				return nil, syscall.EAGAIN
			}
		}), Unknown},
		"was busy": {func(conn *net.TCPConn) {
			if calls.Add(1) == 1 {
				conn.CloseWrite()
				io.Copy(io.Discard, conn)
				return
			}
			good(conn)
		}, Empty},
		"ends each at once": {transporttest.Reply(""), Empty},
		"is silent":         {transporttest.Silent, Silent},
		"resets each":       {transporttest.Reset, Reset},
	} {
		t.Run(name, func(t *testing.T) {
			calls.Store(0)
			wants := transport.ClientTLS("daytime.example.com", source)
			if have := lookAt(t, transporttest.Serve(t, c.handle), wants); have.Nature != c.want {
				t.Errorf("want %s, have %+v", c.want, have)
			}
		})
	}
}

// Nothing that a peer sends reaches a terminal as it came, or makes the judge panic.
func FuzzNatureOfBanner(f *testing.F) {
	for _, b := range banners {
		f.Add([]byte(b.prefix))
	}
	f.Add([]byte("HTTP/1.1 200 \x1b]0;x\a\r\n"))
	f.Add([]byte("\x15\x03\x01"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		found := natureOfBanner(sent)
		if found.Nature == "" || transport.Printable(found.Detail) != found.Detail {
			t.Errorf("%q: %+v", sent, found)
		}
	})
}
