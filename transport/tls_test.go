package transport_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/transport"
	"example.com/daytime/transport/transporttest"
)

func TestTLSEndToEnd(t *testing.T) {
	a := newAuthority(t)
	server := start(t, say("now"), a.serverTLS())
	var state tls.ConnectionState
	look := func(ctx context.Context, conn net.Conn) context.Context {
		state = conn.(*tls.Conn).ConnectionState()
		return ctx
	}
	have, err := call(t.Context(), server.addr, a.clientTLS(), transport.ClientBefore(look))
	if have != "now" || err != nil {
		t.Errorf("want now, have %q, %v", have, err)
	}
	if state.Version != tls.VersionTLS13 || state.NegotiatedProtocol != "daytime" {
		t.Errorf("want daytime over TLS 1.3, have %q over %x", state.NegotiatedProtocol, state.Version)
	}
}

// A rogue is a server that keeps what it is sent.
type rogue struct {
	mu   sync.Mutex
	wire bytes.Buffer // below TLS
	text bytes.Buffer // above it
}

// A tap is a connection whose input is kept.
type tap struct {
	net.Conn
	rogue *rogue
}

func (c tap) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.rogue.mu.Lock()
	defer c.rogue.mu.Unlock()
	c.rogue.wire.Write(p[:n])
	return n, err
}

// withTLS serves over TLS, if the client lets it.
func (r *rogue) withTLS(config *tls.Config) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		secured := tls.Server(tap{conn, r}, config)
		if secured.Handshake() == nil {
			io.WriteString(secured, "now\r\n")
			text, _ := io.ReadAll(secured)
			r.mu.Lock()
			defer r.mu.Unlock()
			r.text.Write(text)
		}
	}
}

// inPlainText serves without TLS.
func (r *rogue) inPlainText(reply string) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		io.WriteString(conn, reply)
		io.Copy(io.Discard, tap{conn, r})
	}
}

// Whoever does not prove the name of the service is sent no byte of a request, and the call may go
// elsewhere.
func TestImpostorIsSentNoRequest(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	old := config(t, a.issue(serviceName, time.Hour))
	old.MaxVersion = tls.VersionTLS12
	web := config(t, a.issue(serviceName, time.Hour))
	web.NextProtos = []string{"h2", "http/1.1"}
	for _, test := range []struct {
		name   string
		handle func(*rogue) func(*net.TCPConn)
		want   any // the type of the error
	}{
		{"another service", func(r *rogue) func(*net.TCPConn) {
			return r.withTLS(config(t, a.issue("other.example.com", time.Hour)))
		}, new(x509.HostnameError)},
		{"its address", func(r *rogue) func(*net.TCPConn) {
			return r.withTLS(config(t, a.issue("127.0.0.1", time.Hour)))
		}, new(x509.HostnameError)},
		{"expired", func(r *rogue) func(*net.TCPConn) {
			return r.withTLS(config(t, a.issue(serviceName, -time.Minute)))
		}, new(x509.CertificateInvalidError)},
		{"another authority", func(r *rogue) func(*net.TCPConn) {
			return r.withTLS(config(t, other.issue(serviceName, time.Hour)))
		}, new(x509.UnknownAuthorityError)},
		{"no certificate", func(r *rogue) func(*net.TCPConn) { return r.withTLS(&tls.Config{}) }, nil},
		{"TLS 1.2", func(r *rogue) func(*net.TCPConn) { return r.withTLS(old) }, nil},
		{"another protocol", func(r *rogue) func(*net.TCPConn) { return r.withTLS(web) }, nil},
		{"plain text", func(r *rogue) func(*net.TCPConn) {
			return r.inPlainText("now\r\n")
		}, new(tls.RecordHeaderError)},
		{"a short line, then silence", func(r *rogue) func(*net.TCPConn) {
			return r.inPlainText("n\n")
		}, nil},
		{"silence", func(r *rogue) func(*net.TCPConn) { return r.inPlainText("") }, nil},
		{"the end", func(r *rogue) func(*net.TCPConn) { return end }, nil},
		{"reset", func(r *rogue) func(*net.TCPConn) { return abort }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &rogue{}
			timeout := bound
			if strings.HasSuffix(test.name, "silence") {
				timeout = 200 * time.Millisecond
			}
			have, err := call(t.Context(), transporttest.Serve(t, test.handle(r)), a.clientTLS(),
				transport.ClientTimeout(timeout))
			if have != "" || !isUnsent(err) {
				t.Errorf("want an unsent call, have %q, %v", have, err)
			}
			wantIs(t, err, transport.ErrHandshake)
			if test.want != nil && !errors.As(err, test.want) {
				t.Errorf("want a %T, have %v", test.want, err)
			}
			hinted := slices.Contains([]string{"TLS 1.2", "plain text", "the end", "reset"}, test.name)
			if err != nil && strings.Contains(err.Error(), "is it a port with TLS 1.3?") != hinted {
				t.Errorf("want a hint at the port: %v, have %v", hinted, err)
			}
			mayBeBusy := test.name == "the end" || test.name == "reset" // and sent nothing else
			if err != nil && strings.Contains(err.Error(), "busy") != mayBeBusy {
				t.Errorf("want it to be busy, perhaps: %v, have %v", mayBeBusy, err)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.text.Len() > 0 || bytes.Contains(r.wire.Bytes(), []byte("timestamp")) {
				t.Errorf("want no byte of the request, have %q, %q", r.text.String(), r.wire.String())
			}
		})
	}
}

// A client without the name of its service, or whose files are gone from the start, calls nobody.
func TestClientTLSWithoutAName(t *testing.T) {
	a := newAuthority(t)
	r := &rogue{}
	addr := transporttest.Serve(t, r.inPlainText("now\r\n"))
	nothing := func() (*tls.Config, error) { return nil, io.ErrClosedPipe }
	for _, option := range []transport.ClientOption{
		transport.ClientTLS("", must(t)(transport.TLSFiles{CA: a.File}.Client())),
		transport.ClientTLS(serviceName, nothing),
	} {
		if have, err := call(t.Context(), addr, option); err == nil || isUnsent(err) {
			t.Errorf("want an error that no other server mends, have %q, %v", have, err)
		}
	}
	if r.wire.Len() > 0 {
		t.Errorf("want nothing sent, have %q", r.wire.String())
	}
}

func TestClientCertificate(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	files := a.issue(serviceName, time.Hour)
	files.CA = a.File
	asked := false
	server := start(t, func(context.Context, any) (any, error) { asked = true; return "now", nil },
		transport.ServerTLS(must(t)(files.Server())))
	for _, test := range []struct {
		name  string
		files transport.TLSFiles
		want  bool
	}{
		{"right", a.issue("client.example.com", time.Hour), true},
		{"none", transport.TLSFiles{}, false},
		{"another authority's", other.issue("client.example.com", time.Hour), false},
		{"expired", a.issue("late.example.com", -time.Minute), false},
	} {
		asked = false
		test.files.CA = a.File
		source := must(t)(test.files.Client())
		have, err := call(t.Context(), server.addr, transport.ClientTLS(serviceName, source))
		if test.want {
			if have != "now" || err != nil {
				t.Errorf("%s: want now, have %q, %v", test.name, have, err)
			}
			continue
		}
		wantIs(t, err, transport.ErrHandshake)
		if !isUnsent(err) || asked {
			t.Errorf("%s: want an unsent call, have %q, %v, asked %v", test.name, have, err, asked)
		}
	}
}

// A reply that somebody on the way cuts off is not an answer; one that its server ends is.
func TestTLSTellsTheEndFromACut(t *testing.T) {
	a := newAuthority(t)
	for _, test := range []struct {
		name string
		then func(*tls.Conn, *net.TCPConn)
		want string
	}{
		{"close_notify", func(secured *tls.Conn, _ *net.TCPConn) { secured.CloseWrite() }, "half"},
		{"FIN", func(_ *tls.Conn, conn *net.TCPConn) { end(conn) }, ""},
		{"RST", func(_ *tls.Conn, conn *net.TCPConn) { abort(conn) }, ""},
		{"silence", func(_ *tls.Conn, conn *net.TCPConn) { untilGone(conn) }, ""},
	} {
		served := config(t, a.issue(serviceName, time.Hour))
		addr := transporttest.Serve(t, func(conn *net.TCPConn) {
			secured := tls.Server(conn, served)
			io.WriteString(secured, "half")
			secured.Read(make([]byte, 16))
			test.then(secured, conn)
		})
		timeout := transport.ClientTimeout(1500 * time.Millisecond)
		have, err := call(t.Context(), addr, a.clientTLS(), timeout)
		if have != test.want || (err == nil) != (test.want != "") || isUnsent(err) {
			t.Errorf("%s: want %q, have %q, %v", test.name, test.want, have, err)
		}
	}
}

// forged is a record of TLS that nobody has sealed.
func forged() []byte { return append([]byte{23, 3, 3, 0, 17}, make([]byte, 17)...) }

// A forger is a connection that, from a certain time on, has one forged record to read.
type forger struct {
	net.Conn
	record []byte
}

func (c *forger) Read(p []byte) (int, error) {
	if c.record == nil {
		return c.Conn.Read(p)
	}
	n := copy(p, c.record)
	c.record = c.record[n:]
	return n, nil
}

// A connection that TLS ends, on either side, has ended without an answer, as one that is cut off has.
func TestWhatBreaksTLSIsNoAnswer(t *testing.T) {
	a := newAuthority(t)
	served := config(t, a.issue(serviceName, time.Hour))
	for why, spoil := range map[string]func(*tls.Conn, *forger){
		"local error: tls: bad record MAC": func(_ *tls.Conn, conn *forger) { conn.Write(forged()) },
		"remote error: tls: bad record MAC": func(secured *tls.Conn, conn *forger) {
			conn.record = forged()
			io.Copy(io.Discard, secured)
		},
		"tls: received record with version": func(_ *tls.Conn, conn *forger) {
			io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		},
	} {
		addr := transporttest.Serve(t, func(conn *net.TCPConn) {
			below := &forger{Conn: conn}
			secured := tls.Server(below, served)
			if secured.Handshake() == nil {
				spoil(secured, below)
			}
			untilGone(conn)
		})
		_, err := call(t.Context(), addr, a.clientTLS())
		wantIs(t, err, transport.ErrNoReply, io.ErrUnexpectedEOF)
		if isUnsent(err) || err != nil && !strings.Contains(err.Error(), why) {
			t.Errorf("want %s of a call that may have been sent, have %v", why, err)
		}
	}
}

func TestCertificatesAreReadAgain(t *testing.T) {
	a := newAuthority(t)
	files := a.issue(serviceName, time.Hour)
	var log errorLog
	server := start(t, say("now"), transport.ServerTLS(must(t)(files.Server())),
		transport.ServerErrorHandler(&log))
	serial := func() string {
		var serial string
		look := func(ctx context.Context, conn net.Conn) context.Context {
			serial = conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
			return ctx
		}
		have, err := call(t.Context(), server.addr, a.clientTLS(), transport.ClientBefore(look))
		if have != "now" || err != nil {
			t.Errorf("want now, have %q, %v", have, err)
		}
		return serial
	}
	first := serial()
	if again := serial(); again != first {
		t.Errorf("want %s, have %s", first, again)
	}
	a.issue(serviceName, time.Hour)
	second := serial()
	if second == first {
		t.Errorf("want another certificate than %s", first)
	}
	if err := os.WriteFile(files.Key, []byte("half a k"), 0o600); err != nil {
		t.Fatal(err)
	}
	if third := serial(); third != second { // in between two writes
		t.Errorf("want the last good one, %s, have %s", second, third)
	}
	within(t, "a report", func() bool { return len(log.all()) == 1 })
	if text := log.all()[0].Error(); !strings.Contains(text, files.Key) {
		t.Errorf("want the file in the report, have %s", text)
	}
	a.issue(serviceName, time.Hour)
	if fourth := serial(); fourth == second {
		t.Errorf("want another certificate than %s", second)
	}
}

// Half a bundle is not taken for the whole, be it of authorities or of a chain: the last good one stays.
func TestFilesThatAreCutOff(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	read := func(name string) []byte {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	bundle := append(read(other.File), read(a.File)...)
	files := a.issue(serviceName, time.Hour)
	chain := append(read(files.Cert), read(a.File)...)
	files.CA = filepath.Join(t.TempDir(), "bundle.pem")
	whole := map[string][]byte{files.CA: bundle, files.Cert: chain}
	write := func(name string, text []byte) {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range whole {
		write(name, text)
	}
	source := must(t)(files.Client())
	good, _ := source()
	for name, text := range whole {
		for _, cut := range [][]byte{
			text[:len(text)-50],
			bytes.Replace(text, []byte("-----END CERTIFICATE-----"), nil, 1),
			bytes.Replace(text, []byte("-----BEGIN CERTIFICATE-----\n"), []byte("-----BEGIN CERTIFICATE-----\n!"), 1),
		} {
			write(name, cut)
			if have, err := source(); have != good || err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: want the last good one, and the file that is not, have %v", name, err)
			}
			if _, err := files.Server(); err == nil {
				t.Errorf("%s: want no server with it", name)
			}
		}
		write(name, append([]byte("# -----BEGIN CERTIFICATE-----, as below\n"), text...))
		var err error
		if good, err = source(); err != nil {
			t.Errorf("%s: want what is whole used, have %v", name, err)
		}
	}
}

// A call whose handshake fails with an old certificate says why there is no newer one.
func TestOutdatedCertificateIsTold(t *testing.T) {
	a := newAuthority(t)
	files := a.issue(serviceName, time.Hour)
	files.CA = a.File
	server := start(t, say("now"), transport.ServerTLS(must(t)(files.Server())))
	own := a.issue("late.example.com", -time.Minute)
	own.CA = a.File
	for _, to := range []string{server.addr, transporttest.Serve(t, end)} {
		source := must(t)(own.Client())
		_, err := call(t.Context(), to, transport.ClientTLS(serviceName, source))
		if wantIs(t, err, transport.ErrHandshake); err != nil && strings.Contains(err.Error(), own.Key) {
			t.Errorf("want no word of files that could be read, have %v", err)
		}
		good, err := os.ReadFile(own.Key)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(own.Key, []byte("half a k"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = call(t.Context(), to, transport.ClientTLS(serviceName, source))
		if wantIs(t, err, transport.ErrHandshake); err != nil && !strings.Contains(err.Error(), own.Key) {
			t.Errorf("want the file that could not be used, have %v", err)
		}
		if err := os.WriteFile(own.Key, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A certificate that has ended is told, from the start and when it takes the place of another that
// has; it does not take the place of one that is good.
func TestCertificateThatHasEnded(t *testing.T) {
	a := newAuthority(t)
	files := a.issue(serviceName, -time.Minute)
	source := must(t)(files.Server())
	want := func(when, text string, good bool) {
		t.Helper()
		config, err := source()
		if (err == nil) != (text == "") || err != nil && !strings.Contains(err.Error(), text) {
			t.Errorf("%s: want %q, have %v", when, text, err)
		}
		if have := time.Now().Before(config.Certificates[0].Leaf.NotAfter); have != good {
			t.Errorf("%s: want a good certificate: %t, have %t", when, good, have)
		}
	}
	end := time.Now().Add(-time.Minute).UTC().Format("2006-01-02T15")
	want("at the start", files.Cert+": it ended at "+end, false)
	a.issue(serviceName, -time.Minute)
	want("another one", files.Cert+": it ended at "+end, false)
	a.issue(serviceName, time.Hour)
	want("a good one", "", true)
	a.issue(serviceName, -time.Minute)
	want("after a good one", files.Cert+": it ended at "+end, true)
	a.issue(serviceName, time.Hour)
	want("a good one again", "", true)

	var log errorLog
	a.issue(serviceName, -time.Minute)
	server := start(t, say("now"), transport.ServerTLS(must(t)(files.Server())), transport.ServerErrorHandler(&log))
	call(t.Context(), server.addr, a.clientTLS())
	isTold := func(err error) bool { return errors.Is(err, transport.ErrTLSFiles) }
	within(t, "a report", func() bool { return slices.ContainsFunc(log.all(), isTold) })
}

// A file that could not be used is read again though nothing has changed that can be seen of it: a
// right was given, a descriptor is free again.
func TestFilesAreReadAgainAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := newAuthority(t).issue(serviceName, time.Hour)
		source := must(t)(files.Server())
		good, err := os.ReadFile(files.Key)
		if err != nil {
			t.Fatal(err)
		}
		written := time.Now()
		put := func(text []byte) {
			err := os.WriteFile(files.Key, text, 0o600)
			if err = errors.Join(err, os.Chtimes(files.Key, written, written)); err != nil {
				t.Fatal(err)
			}
		}
		put(bytes.Repeat([]byte("x"), len(good)))
		if config, err := source(); config == nil || err == nil {
			t.Errorf("want the last good one, and why, have %v, %v", config, err)
		}
		put(good)
		time.Sleep(time.Second)
		if config, err := source(); config == nil || err != nil {
			t.Errorf("want it used once it can be, have %v", err)
		}
	})
}

// A configuration that panics, or is none, costs a connection its handshake, and is told.
func TestConfigurationThatFails(t *testing.T) {
	a := newAuthority(t)
	good := config(t, a.issue(serviceName, time.Hour))
	calls := 0
	for name, source := range map[string]transport.TLSSource{
		"none":                 func() (*tls.Config, error) { return nil, nil },
		"a source that panics": func() (*tls.Config, error) { panic("planted") },
		"a callback that panics": func() (*tls.Config, error) {
			return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				panic("planted")
			}}, nil
		},
	} {
		var log errorLog
		calls = 0
		server := start(t, say("now"), transport.ServerErrorHandler(&log), transport.MaxConns(1),
			transport.ServerTLS(func() (*tls.Config, error) {
				if calls++; calls == 1 {
					return source()
				}
				return good, nil
			}))
		_, err := call(t.Context(), server.addr, a.clientTLS())
		wantIs(t, err, transport.ErrHandshake)
		within(t, "a report", func() bool { return len(log.all()) == 1 })
		wantIs(t, log.all()[0], transport.ErrHandshake)
		if have := log.all()[0].Error(); !strings.Contains(have, ": 1 connection, from 127.0.0.1:") {
			t.Errorf("want one connection told, have %s", have)
		}
		within(t, "the connection's end", func() bool {
			open, _ := server.Connections()
			return open == 0
		})
		if have, err := call(t.Context(), server.addr, a.clientTLS()); have != "now" || err != nil {
			t.Errorf("%s: after it want now, have %q, %v", name, have, err)
		}
	}
}

func TestTLSFilesThatCannotBeUsed(t *testing.T) {
	a := newAuthority(t)
	good, other := a.issue("a.example.com", time.Hour), a.issue("b.example.com", time.Hour)
	for _, test := range []struct {
		open func(transport.TLSFiles) (transport.TLSSource, error)
		in   transport.TLSFiles
		want string
	}{
		{transport.TLSFiles.Server, transport.TLSFiles{}, "want a certificate and a key"},
		{transport.TLSFiles.Server, transport.TLSFiles{Cert: good.Cert}, "want a certificate and a key"},
		{transport.TLSFiles.Client, transport.TLSFiles{Key: good.Key}, "want both"},
		{transport.TLSFiles.Server, transport.TLSFiles{Cert: good.Cert, Key: other.Key}, other.Key},
		{transport.TLSFiles.Client, transport.TLSFiles{CA: "/nowhere"}, "/nowhere"},
		{transport.TLSFiles.Client, transport.TLSFiles{CA: good.Key}, "no certificate, want PEM"},
	} {
		source, err := test.open(test.in)
		if source != nil || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: want an error with %q, have %v", test.in, test.want, err)
		}
	}
}

// A plain client of a server with TLS gets a clean end without a byte, as does one that is above a
// limit, and one that sends no first message in time.
func TestTLSServerEndsCleanly(t *testing.T) {
	a := newAuthority(t)
	server := start(t, say("now"), a.serverTLS(), transport.ServerTimeout(100*time.Millisecond))
	long := strings.Repeat("x", 4000)
	for _, request := range []string{"timestamp", "\n", "", long, "\x16\x03\x01\x00"} {
		begin := time.Now()
		if have, err := ask(server.addr, request); have != "" || err != nil {
			t.Errorf("%.20q: want a clean end, have %q, %v", request, have, err)
		}
		if took := time.Since(begin); took > bound/2 {
			t.Errorf("%.20q: want an end in time, have %v", request, took)
		}
	}
}

func TestTurnedAwayUnderTLS(t *testing.T) {
	a := newAuthority(t)
	e, entered, release := held()
	server := start(t, e, a.serverTLS(), transport.MaxConns(1))
	var first sync.WaitGroup
	first.Go(func() {
		if have, err := call(t.Context(), server.addr, a.clientTLS()); have != "now" || err != nil {
			t.Errorf("want now, have %q, %v", have, err)
		}
	})
	<-entered
	_, err := call(t.Context(), server.addr, a.clientTLS())
	wantIs(t, err, transport.ErrHandshake)
	if !isUnsent(err) {
		t.Errorf("want an unsent call, have %v", err)
	}
	close(release)
	first.Wait()
}

// The draining close holds under TLS: a client that goes on sending is not reset.
func TestTLSServerResetsNobody(t *testing.T) {
	a := newAuthority(t)
	server := start(t, say("now"), a.serverTLS())
	config := &tls.Config{RootCAs: a.Pool(), ServerName: serviceName}
	var clients sync.WaitGroup
	for _, request := range []string{"", "timestamp", strings.Repeat("x", 8<<10)} {
		clients.Go(func() {
			for range 20 {
				conn, err := tls.Dial("tcp", server.addr, config)
				if err != nil {
					t.Error(err)
					return
				}
				conn.SetDeadline(time.Now().Add(bound))
				io.WriteString(conn, request)
				if have, err := io.ReadAll(conn); string(have) != "now\r\n" || err != nil {
					t.Errorf("want now and close_notify, have %q, %v", have, err)
				}
				io.WriteString(conn, "late")
				conn.CloseWrite()
				if n, err := conn.NetConn().Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("want a FIN, have %v", err)
				}
				conn.Close()
			}
		})
	}
	clients.Wait()
}

func TestShutdownUnderTLSResetsNobody(t *testing.T) {
	a := newAuthority(t)
	server := start(t, say("now"), a.serverTLS())
	tlsOption := a.clientTLS()
	var clients sync.WaitGroup
	answers := make(chan struct{}, 10000)
	for range 8 {
		clients.Go(func() {
			for {
				have, err := call(t.Context(), server.addr, tlsOption)
				switch {
				case errors.Is(err, syscall.ECONNREFUSED):
					return
				case have != "now" || err != nil:
					t.Errorf("want now, have %q, %v", have, err)
					return
				}
				answers <- struct{}{}
			}
		})
	}
	for range 50 {
		<-answers
	}
	if err := shutdownTimeout(server.Server, bound); err != nil {
		t.Error(err)
	}
	clients.Wait()
}

func TestOpenSSLReadsOurServer(t *testing.T) {
	openssl := transporttest.Program(t, "openssl", "openssl")
	a := newAuthority(t)
	server := start(t, say("now"), a.serverTLS())
	for _, arguments := range [][]string{nil, {"-alpn", "daytime"}} {
		args := append([]string{"s_client", "-connect", server.addr, "-servername", serviceName,
			"-verify_hostname", serviceName, "-CAfile", a.File, "-verify_return_error",
			"-quiet"}, arguments...)
		cmd := exec.Command(openssl, args...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if string(out) != "now\r\n" || err != nil {
			t.Errorf("want now, have %q, %v: %s", out, err, stderr.String())
		}
	}
}

// Thousands of handshakes that lead nowhere starve nobody: not silent ones, which hold every place,
// nor those that go as far as the costly part and stop there.
func TestHandshakeFloodStarvesNobody(t *testing.T) {
	const enough = 5
	a := newAuthority(t)
	server := start(t, say("now"), a.serverTLS(), transport.MaxConns(200))
	tlsOption := a.clientTLS()
	for _, flood := range []struct{ name, first string }{
		{"silent", ""},
		{"half a message", "\x16\x03\x01\x02\x00\x01"},
		{"no answer", string(clientHello(t))},
	} {
		t.Run(flood.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var flooding sync.WaitGroup
			for range 4 {
				flooding.Go(func() { floodWith(ctx, server.addr, flood.first) })
			}
			var answered, unsent int
			begin := time.Now()
			for answered < enough && time.Since(begin) < 3*bound {
				have, err := call(ctx, server.addr, tlsOption, transport.ClientTimeout(bound))
				if have == "now" && err == nil {
					answered++
				} else if unsent++; !isUnsent(err) {
					t.Errorf("want now, or an unsent call, have %q, %v", have, err)
				}
			}
			cancel()
			flooding.Wait()
			t.Logf("%d answers in %v, %d calls may go elsewhere", answered, time.Since(begin), unsent)
			if answered < enough {
				t.Errorf("want %d answers in a flood, have %d", enough, answered)
			}
		})
	}
}

// floodWith holds a few connections, each with the beginning of a handshake, and replaces the
// oldest again and again.
func floodWith(ctx context.Context, addr, first string) {
	var conns []net.Conn
	for ctx.Err() == nil {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			continue
		}
		io.WriteString(conn, first)
		if conns = append(conns, conn); len(conns) > 16 {
			conns[0].Close()
			conns = conns[1:]
		}
		time.Sleep(time.Millisecond) // the rate of the flood
	}
	for _, conn := range conns {
		conn.Close()
	}
}

// clientHello is the first message of a client.
func clientHello(t *testing.T) []byte {
	client, server := net.Pipe()
	defer client.Close()
	config := &tls.Config{ServerName: serviceName, MinVersion: tls.VersionTLS13}
	go tls.Client(client, config).Handshake()
	hello := make([]byte, 4096)
	server.SetReadDeadline(time.Now().Add(bound))
	n, err := server.Read(hello)
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	return hello[:n]
}

// A client in clear text of a server that speaks TLS is told so, or that it may be.
func TestClearTextToTLS(t *testing.T) {
	server := start(t, say("now"), newAuthority(t).serverTLS())
	_, err := call(t.Context(), server.addr)
	wantIs(t, err, transport.ErrNoReply)
	if err != nil && !strings.Contains(err.Error(), "TLS") {
		t.Errorf("want a word of TLS, have %v", err)
	}
}
