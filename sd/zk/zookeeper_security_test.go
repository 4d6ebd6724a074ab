package zk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/zktest"
	"example.com/daytime/transport/transporttest"
	gozk "github.com/go-zookeeper/zk"
)

// A real server decides about certificates as the server in memory cannot.
func TestTLSOnZooKeeper(t *testing.T) {
	theirs, ours, strange := zktest.MakePEM(t), transporttest.NewAuthority(t), transporttest.NewAuthority(t)
	server := zktest.Start(t, zktest.TLS(theirs), zktest.Config("ssl.trustStore.location="+bundle(t, theirs.CA, ours.File)))
	_, port, err := net.SplitHostPort(server.SecureAddr())
	if err != nil {
		t.Fatal(err)
	}
	pem := func(cert, key string) string { return "&tls-cert=" + cert + "&tls-key=" + key }
	good := pem(theirs.ClientCert, theirs.ClientKey)
	for _, c := range []struct {
		name, host, query string
		want              []string // in the error; none is a session
	}{
		{"by address", "127.0.0.1:" + port, "?tls-ca=" + theirs.CA + good, nil},
		{"by name", "localhost:" + port, "?tls-ca=" + theirs.CA + good, nil},
		{"two authorities", "localhost:" + port, "?tls-ca=" + theirs.CA + pem(ours.Issue("registrar", time.Hour)), nil},
		{"wrong CA", "127.0.0.1:" + port, "?tls-ca=" + strange.File + good, []string{"127.0.0.1:" + port, "unknown authority"}},
		{"wrong name", "127.0.0.2:" + port, "?tls-ca=" + theirs.CA + good, []string{"127.0.0.2:" + port, "valid for 127.0.0.1, not 127.0.0.2"}},
		{"no client certificate", "127.0.0.1:" + port, "?tls-ca=" + theirs.CA, []string{"127.0.0.1:" + port, "remote error: tls: ", "no tls-cert"}},
		{"strange client certificate", "127.0.0.1:" + port, "?tls-ca=" + theirs.CA + pem(strange.Issue("registrar", time.Hour)), []string{"remote error: tls: "}},
		{"expired client certificate", "127.0.0.1:" + port, "?tls-ca=" + theirs.CA + pem(ours.Issue("late", -time.Minute)), []string{"remote error: tls: "}},
		{"clear text", server.Addr(), "?tls-ca=" + theirs.CA + good, []string{server.Addr(), "TLS handshake: "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			b, err := zk.OpenBackend(sdtest.Target(t, "zk://"+c.host+c.query), zk.Dial(loopback))
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			sdtest.Eventually(t, 10*time.Second, func() error { return outcome(b, c.want) })
		})
	}
}

// bundle puts several authorities into one file.
func bundle(t testing.TB, names ...string) string {
	t.Helper()
	var all bytes.Buffer
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	name := filepath.Join(t.TempDir(), "authorities.pem")
	if err := os.WriteFile(name, all.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// loopback connects to 127.0.0.1, whatever the host is called.
func loopback(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, network, "127.0.0.1:"+port)
}

// outcome returns nil if b has a session, or rather an error that holds all of want.
func outcome(b *zk.Backend, want []string) error {
	if want == nil {
		if b.Stats().Session == 0 {
			return errors.New("want a session, have none")
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := b.Watch(ctx, sd.Want{}, func(sd.Change) {})
	for _, part := range want {
		if err == nil || !strings.Contains(err.Error(), part) {
			return fmt.Errorf("error: want %q in it, have %v", part, err)
		}
	}
	return nil
}

// The certificate is all that acl=creator needs. Clear text proves nothing, and can only read.
func TestCertificateACLOnZooKeeper(t *testing.T) {
	pem := zktest.MakePEM(t)
	server := zktest.Start(t, zktest.TLS(pem))
	b, err := zk.OpenBackend(sdtest.Target(t, "zk://"+server.SecureAddr()+"/go_servers?acl=creator&session-timeout=4s&tls-ca="+pem.CA+"&tls-cert="+pem.ClientCert+"&tls-key="+pem.ClientKey))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	sdtest.Eventually(t, 10*time.Second, func() error { return outcome(b, nil) })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	up, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- b.Announce(ctx, sd.Entry{Instance: alice}, func(sd.Status) { close(up) }) }()
	select {
	case <-up:
	case err := <-ended:
		t.Fatal(err)
	}
	visitor := clearText(t, server)
	visitorsOnlyRead(t, visitor, "/go_servers/"+alice)
	have, _, err := visitor.GetACL("/go_servers/" + alice)
	want := []gozk.ACL{
		{Perms: gozk.PermAll, Scheme: "x509", ID: "CN=" + zktest.ClientName},
		{Perms: gozk.PermRead, Scheme: "world", ID: "anyone"},
	}
	if err != nil || !slices.Equal(want, have) {
		t.Errorf("ACL: want %v, have %v, error %v", want, have, err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) || errors.Is(err, sd.ErrUnconfirmed) {
		t.Errorf("withdraw: want %v, have %v", context.Canceled, err)
	}
	if names, _, err := visitor.Children("/go_servers"); err != nil || len(names) != 0 {
		t.Errorf("children: want none, have %q, error %v", names, err)
	}
}

// clearText is another program.
func clearText(t testing.TB, server *zktest.Server) *gozk.Conn {
	t.Helper()
	conn, events, err := gozk.Connect([]string{server.Addr()}, 10*time.Second, gozk.WithLogInfo(false), gozk.WithLogger(quiet{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		for range events {
		}
	})
	return conn
}

// Digest on a real server, from end to end: with the right to delete and without it.
func TestDigestOnZooKeeper(t *testing.T) {
	server := zktest.Start(t)
	admin := clearText(t, server)
	if err := admin.AddAuth("digest", []byte("admin:admin")); err != nil {
		t.Fatal(err)
	}
	file := secretFile(t, secret)
	for name, perms := range map[string]int32{
		"delete":    gozk.PermCreate | gozk.PermRead | gozk.PermDelete,
		"no-delete": gozk.PermCreate | gozk.PermRead,
	} {
		t.Run(name, func(t *testing.T) {
			acl := slices.Concat(gozk.AuthACL(gozk.PermAll), gozk.WorldACL(gozk.PermRead), gozk.DigestACL(perms, "registrar", "open-sesame"))
			if _, err := admin.Create("/"+name, nil, 0, acl); err != nil {
				t.Fatal(err)
			}
			b, err := zk.OpenBackend(sdtest.Target(t, "zk://"+server.Addr()+"/"+name+"?acl=creator&auth-file="+file))
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			sdtest.Eventually(t, 10*time.Second, func() error { return outcome(b, nil) })
			for range 3 {
				ctx, cancel := context.WithCancel(t.Context())
				err := b.Announce(ctx, sd.Entry{Instance: alice}, func(sd.Status) {
					visitorsOnlyRead(t, clearText(t, server), "/"+name+"/"+alice)
					cancel()
				})
				if !errors.Is(err, context.Canceled) || errors.Is(err, sd.ErrUnconfirmed) {
					t.Errorf("withdraw: want %v, have %v", context.Canceled, err)
				}
				cancel()
				if names, _, err := admin.Children("/" + name); err != nil || len(names) != 0 {
					t.Errorf("children: want none, have %q, error %v", names, err)
				}
			}
		})
	}
}

// A real server that wants a proof of identity closes each connection at the first request without
// it, and says so by a code that is named after SASL; where a digest is enough, auth-file is.
func TestAuthenticationEnforcedByZooKeeper(t *testing.T) {
	server := zktest.Start(t, zktest.Config("enforce.auth.enabled=true", "enforce.auth.schemes=digest"))
	with := "?auth-file=" + secretFile(t, secret)
	for query, want := range map[string]string{"": "where its enforce.auth.schemes have digest", with: ""} {
		b, err := zk.OpenBackend(sdtest.Target(t, "zk://"+server.Addr()+query))
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		r := sdtest.Register(t, b, alice)
		sdtest.Eventually(t, 10*time.Second, func() error {
			s := r.State()
			isDenied := errors.Is(s.Err, sd.ErrDenied) && strings.Contains(s.Err.Error(), want)
			if want == "" && s.Phase != sd.Registered || want != "" && !isDenied {
				return fmt.Errorf("%q: want %q, have %v", query, want, s)
			}
			return nil
		})
		r.Deregister()
	}
}
