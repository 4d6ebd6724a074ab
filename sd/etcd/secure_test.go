package etcd_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk/zktest"
	"example.com/daytime/transport/transporttest"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// secret writes an auth-file.
func secret(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// with calls each function with client, in the order given, until one fails.
func withAuth(t *testing.T, client *clientv3.Client) {
	t.Helper()
	ctx := t.Context()
	read, write := clientv3.PermissionType(clientv3.PermRead), clientv3.PermissionType(clientv3.PermReadWrite)
	end := clientv3.GetPrefixRangeEnd("/go_servers/")
	for n, do := range []func() error{
		func() error { _, err := client.RoleAdd(ctx, "client"); return err },
		func() error {
			_, err := client.RoleGrantPermission(ctx, "client", "/go_servers", "", read)
			return err
		},
		func() error {
			_, err := client.RoleGrantPermission(ctx, "client", "/go_servers/", end, read)
			return err
		},
		func() error { _, err := client.RoleAdd(ctx, "server"); return err },
		func() error {
			_, err := client.RoleGrantPermission(ctx, "server", "/go_servers", "", read)
			return err
		},
		func() error {
			_, err := client.RoleGrantPermission(ctx, "server", "/go_servers/", end, write)
			return err
		},
		func() error { _, err := client.RoleAdd(ctx, "root"); return err },
		func() error { _, err := client.UserAdd(ctx, "root", "r"); return err },
		func() error { _, err := client.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := client.UserAdd(ctx, "svc", "s"); return err },
		func() error { _, err := client.UserGrantRole(ctx, "svc", "server"); return err },
		func() error { _, err := client.UserAdd(ctx, "cli", "c"); return err },
		func() error { _, err := client.UserGrantRole(ctx, "cli", "client"); return err },
		func() error { _, err := client.AuthEnable(ctx); return err },
	} {
		if err := do(); err != nil {
			t.Fatalf("step %d: %v", n, err)
		}
	}
}

// With authentication on, servers register with rights on the prefix alone, clients only read, and
// who is denied is told so.
func TestUsers(t *testing.T) {
	member := etcdtest.Start(t)
	withAuth(t, connect(t, member.Addr()))
	uri := "etcd://" + member.Addr() + "?ttl=2s&auth-file="
	server, reader := open(t, uri+secret(t, "svc:s\n")), open(t, uri+secret(t, "cli:c\n"))
	r := sdtest.Register(t, server, alice)
	await(t, phase(r, sd.Registered))
	v := follow(t, reader)
	v.shows(alice)
	<-time.After(3 * time.Second) // the lease is renewed
	if err := errors.Join(v.Is(alice), v.live(), phase(r, sd.Registered)()); err != nil {
		t.Error(err)
	}
	r.Deregister()
	await(t, func() error { // without its own key there is no empty directory
		if s := v.State(); s.Phase != sd.Stale {
			return fmt.Errorf("want %s, have %v", sd.Stale, s)
		}
		return nil
	})

	denied := sdtest.Register(t, reader, bob)
	await(t, func() error { return stateIs(denied.State(), sd.ErrDenied) })
	root := connectAsRoot(t, member.Addr())
	if _, err := root.UserAdd(t.Context(), "nil", "n"); err != nil { // who has no role
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		uri + secret(t, "nil:n"):      "permission denied",
		uri + secret(t, "cli:wrong"):  "authentication failed",
		uri + secret(t, "nobody:x\n"): "authentication failed",
		"etcd://" + member.Addr():     "auth-file",
	} {
		v := follow(t, open(t, text))
		await(t, func() error {
			err := stateIs(v.State(), sd.ErrDenied)
			if err == nil && !strings.Contains(v.State().Err.Error(), want) {
				err = fmt.Errorf("want %q said, have %v", want, v.State())
			}
			return err
		})
	}
}

// connectAsRoot returns a client of an administrator.
func connectAsRoot(t *testing.T, addr string) *clientv3.Client {
	t.Helper()
	root, err := clientv3.New(clientv3.Config{
		Endpoints: []string{addr}, Username: "root", Password: "r", Logger: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// A password that is changed in etcd and in the file is used from the next connection on.
func TestPasswordChanges(t *testing.T) {
	member := etcdtest.Start(t)
	withAuth(t, connect(t, member.Addr()))
	root := connectAsRoot(t, member.Addr())
	file := secret(t, "svc:s")
	b := open(t, "etcd://"+member.Addr()+"?ttl=2s&auth-file="+file)
	r := sdtest.Register(t, b, alice)
	await(t, phase(r, sd.Registered))
	if _, err := root.UserChangePassword(t.Context(), "svc", "new"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("svc:new"), 0o600); err != nil {
		t.Fatal(err)
	}
	v := follow(t, b)
	v.shows(alice)
	member.Restart(t)
	<-time.After(3 * time.Second)
	await(t, func() error {
		return errors.Join(v.Is(alice), v.live(), phase(r, sd.Registered)())
	})
}

// signedTokens has a member give tokens that it has signed, with the revision of users and roles, and
// that end after ttl.
func signedTokens(t *testing.T, ttl string) etcdtest.Option {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	file := func(kind string, der []byte) string {
		return secret(t, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
	}
	return etcdtest.Args("--auth-token", "jwt,sign-method=RS256,ttl="+ttl+",pub-key="+file("PUBLIC KEY", public)+
		",priv-key="+file("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)))
}

// Whatever an administrator changes about users and roles makes signed tokens old, and they end by
// themselves. They are renewed over the connection that there is: nothing is listed anew, and
// nothing goes stale.
func TestTokenThatIsOld(t *testing.T) {
	for name, test := range map[string]struct {
		ttl  string
		ages func(t *testing.T, root *clientv3.Client, n int)
	}{
		"users are changed": {"10m", func(t *testing.T, root *clientv3.Client, n int) {
			if _, err := root.UserAdd(t.Context(), fmt.Sprint("user-", n), "u"); err != nil {
				t.Fatal(err)
			}
		}},
		"it has ended": {"5s", func(*testing.T, *clientv3.Client, int) { <-time.After(6 * time.Second) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			member := etcdtest.Start(t, signedTokens(t, test.ttl))
			withAuth(t, connect(t, member.Addr()))
			root := connectAsRoot(t, member.Addr())
			b := open(t, "etcd://"+member.Addr()+"?ttl=2s&auth-file="+secret(t, "svc:s"))
			r := sdtest.Register(t, b, alice)
			await(t, phase(r, sd.Registered))
			v := follow(t, b)
			v.shows(alice)
			before, since := b.Stats(), v.State().Since
			for n := range 3 {
				test.ages(t, root, n)
				switch n {
				case 0: // a watch comes first
					follow(t, b).shows(alice)
				case 1:
					if _, _, err := b.ReadPolicy(t.Context()); err != nil {
						t.Errorf("want the policy, have %v", err)
					}
				case 2:
					await(t, phase(sdtest.Register(t, b, bob), sd.Registered))
					v.shows(alice, bob)
				}
			}
			if now := b.Stats(); now.Dials != before.Dials || now.Lists > before.Lists+2 {
				t.Errorf("want the connection and the watch kept, have %+v after %+v", now, before)
			}
			if s := v.State(); s.Phase != sd.Live || s.Since != since {
				t.Errorf("want it live since %v, have %v", since, s)
			}
		})
	}
}

// TLS, with certificates of both sides, and what is said when they do not fit.
func TestTLS(t *testing.T) {
	pem, other := zktest.MakePEM(t), zktest.MakePEM(t)
	store := filepath.Join(filepath.Dir(pem.CA), "server.pem") // key and certificate in one
	member := etcdtest.Start(t, etcdtest.TLS(store, store, pem.CA))
	plain := etcdtest.Start(t)
	uri := "etcd://" + member.Addr() + "?ttl=2s&tls-ca="
	full := "&tls-cert=" + pem.ClientCert + "&tls-key=" + pem.ClientKey
	b := open(t, uri+pem.CA+full)
	r := sdtest.Register(t, b, alice)
	await(t, phase(r, sd.Registered))
	follow(t, b).shows(alice)

	for _, test := range []struct {
		name, text, want string
		denied           bool
	}{
		{"no client certificate", uri + pem.CA, "there is no tls-cert", true},
		{"another authority's", uri + pem.CA + "&tls-cert=" + other.ClientCert + "&tls-key=" + other.ClientKey, "certificate", true},
		{"an authority that is not the member's", uri + other.CA + full, "TLS handshake", false},
		{"clear text", "etcd://" + member.Addr(), "wants TLS", false},
		{"a port in clear text", "etcd://" + plain.Addr() + "?tls-ca=" + pem.CA, "want a port with TLS", false},
		{"a port of HTTP", "etcd://" + transporttest.Serve(t, transporttest.Reply("HTTP/1.1 400 Bad Request\r\n\r\n")) +
			"?tls-ca=" + pem.CA, "want a port with TLS", false},
		{"another name", strings.Replace(uri, "127.0.0.1", "127.0.0.2", 1) + pem.CA + full, "127.0.0.2", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := follow(t, open(t, test.text))
			await(t, func() error {
				err := v.State().Err
				if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, sd.ErrDenied) != test.denied {
					return fmt.Errorf("want %q (denied: %v), have %v", test.want, test.denied, err)
				}
				return nil
			})
		})
	}
}
