package etcd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/etcd/internal/cluster"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/policy"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const dora = "192.0.2.4:8897"

// Who is given back the right to read the policy follows it as before: what it says by then counts,
// though that was written long ago, and what it says from then on counts at once.
func TestPolicyThatMayBeReadAgain(t *testing.T) {
	member := etcdtest.Start(t)
	b, n := openConn(t, "etcd://"+member.Addr())
	key, prefix := b.config.Key, b.config.prefix()
	ctx := t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(n.RoleAdd(ctx, "root"))
	must(n.RoleAdd(ctx, "server"))
	must(n.RoleGrantPermission(ctx, "server", prefix, clientv3.GetPrefixRangeEnd(prefix),
		clientv3.PermissionType(clientv3.PermReadWrite)))
	for user, role := range map[string]string{"root": "root", "svc": "server"} {
		must(n.UserAdd(ctx, user, "p"))
		must(n.UserGrantRole(ctx, user, role))
	}
	must(n.Put(ctx, key, policy.Header+"\nwithdraw *\n"))
	must(n.AuthEnable(ctx))
	root, err := clientv3.New(clientv3.Config{Endpoints: []string{member.Addr()}, Username: "root",
		Password: "p", Logger: zap.NewNop()})
	must(nil, err)
	defer root.Close()
	file := filepath.Join(t.TempDir(), "secret")
	must(nil, os.WriteFile(file, []byte("svc:p"), 0o600))

	server, _ := openConn(t, "etcd://"+member.Addr()+"?auth-file="+file)
	server.auditEvery = 3 * time.Second
	calling, cancel := context.WithCancel(ctx)
	phases, ended := make(chan sd.Phase, 10), make(chan error, 1)
	go func() {
		ended <- server.Announce(calling, sd.Entry{Instance: dora}, func(s sd.Status) { phases <- s.Phase })
	}()
	tells := func(want sd.Phase, within time.Duration) {
		t.Helper()
		select {
		case have := <-phases:
			if have != want {
				t.Errorf("want %s, have %s", want, have)
			}
		case err := <-ended:
			t.Fatalf("want %s, have the end: %v", want, err)
		case <-time.After(within):
			t.Errorf("want %s within %v", want, within)
		}
	}
	tells(sd.Registered, 5*time.Second)
	must(root.RoleGrantPermission(ctx, "server", key, "", clientv3.PermissionType(clientv3.PermRead)))
	tells(sd.Withheld, 10*time.Second)
	must(root.Put(ctx, key, ""))
	tells(sd.Registered, time.Second) // before the next audit
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// announceDeaf returns an announcement of dora, and what it goes by over n: a stream that tells
// nothing, and audits when the caller says so.
func announceDeaf(
	t testing.TB, b *Backend, n *cluster.Conn, told func(sd.Status), audit <-chan time.Time,
) (*announcement, *steering) {
	t.Helper()
	r, err := b.begin(dora)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.finish(r) })
	deaf, err := n.Watch(t.Context(), 1) // nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(deaf.Close)
	a := &announcement{registration: r, entry: policy.Entry{Instance: dora}, told: told}
	return a, &steering{conn: n, stream: deaf, audit: audit}
}

// What a stream does not tell an announcer is found by its audits, however often something else
// happens meanwhile.
func TestAnnouncerAudit(t *testing.T) {
	member := etcdtest.Start(t)
	_, other := openConn(t, "etcd://"+member.Addr()) // another program
	b, n := openConn(t, "etcd://"+member.Addr()+"?ttl=2s")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changing, calm := context.WithCancel(ctx)
	changes, phases, ended := make(chan policy.Attributes), make(chan sd.Phase, 100), make(chan error)
	audit := time.NewTicker(300 * time.Millisecond)
	defer audit.Stop()
	a, s := announceDeaf(t, b, n, func(s sd.Status) { phases <- s.Phase }, audit.C)
	a.changes = changes
	go func() { ended <- a.obey(ctx, s) }()
	go func() {
		for i := 0; ; i++ {
			select {
			case changes <- policy.Attributes{Zone: fmt.Sprint("zone-", i)}:
				<-time.After(50 * time.Millisecond)
			case <-changing.Done():
				return
			}
		}
	}()
	put := func(key, value string, options ...clientv3.OpOption) {
		t.Helper()
		if _, err := other.Put(ctx, key, value, options...); err != nil {
			t.Fatal(err)
		}
	}
	get := func(key string) *mvccpb.KeyValue {
		t.Helper()
		got, err := other.Get(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Kvs) == 0 {
			return &mvccpb.KeyValue{}
		}
		return got.Kvs[0]
	}
	await := func(check func() error) { t.Helper(); wait.For(t, 5*time.Second, check) }
	tells := func(want sd.Phase) {
		t.Helper()
		await(func() error {
			select {
			case have := <-phases:
				if have != want {
					t.Fatalf("want %s, have %s", want, have)
				}
				return nil
			default:
				return fmt.Errorf("want %s, have nothing told", want)
			}
		})
	}
	tells(sd.Registered)
	if _, err := other.Delete(ctx, b.config.Key); err != nil {
		t.Fatal(err)
	}
	await(func() error {
		if get(b.config.Key).ModRevision == 0 {
			return errors.New("want the directory made again, have none")
		}
		return nil
	})
	put(b.config.Key, policy.Header+"\nwithdraw *\n")
	tells(sd.Withheld)
	put(b.config.Key, "")
	tells(sd.Registered)
	calm()
	put(a.key, "{}", clientv3.WithLease(clientv3.LeaseID(get(a.key).Lease)))
	await(func() error {
		if value := string(get(a.key).Value); !strings.Contains(value, dora) {
			return fmt.Errorf("want our value, have %s", value)
		}
		return nil
	})
	if _, err := other.Delete(ctx, a.key); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, errLost) {
		t.Errorf("want %v, have %v", errLost, err)
	}
}

// A line of the policy expires by the wall clock: the timer for that does not run while the host
// sleeps. An audit looks at the clock.
func TestExpiryThroughASleep(t *testing.T) {
	member := etcdtest.Start(t)
	b, n := openConn(t, "etcd://"+member.Addr()+"?ttl=2s")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	until := time.Now().Add(2 * time.Second)
	document := policy.Header + "\nwithdraw * until=" + until.UTC().Format(time.RFC3339Nano) + "\n"
	if _, err := n.Put(ctx, b.config.Key, document); err != nil {
		t.Fatal(err)
	}
	audit, ended := make(chan time.Time), make(chan error, 1)
	a, s := announceDeaf(t, b, n, func(sd.Status) {}, audit)
	found, err := a.look(ctx, n)
	if err != nil || a.gate.SetPolicy(found.policy) != nil {
		t.Fatalf("%v, %q", err, found.policy)
	}
	s.policy, s.revision = found.policy, found.revision
	_, why := a.withheld()
	if why == nil {
		t.Fatal("want it withheld, have it not")
	}
	go func() { ended <- a.withhold(ctx, s, nil, why) }() // whose timer stands still
	audit <- time.Now()
	<-time.After(time.Until(until))
	audit <- time.Now()
	select {
	case err := <-ended:
		if !errors.Is(err, errSteered) {
			t.Errorf("want %v, have %v", errSteered, err)
		}
	case <-time.After(3 * time.Second):
		t.Error("want it not withheld any more, have it withheld")
	}
}

// An event that an audit has overtaken does not bring an old policy back.
func TestTakePolicy(t *testing.T) {
	a := &announcement{
		registration: &registration{backend: &Backend{}},
		entry:        policy.Entry{Instance: dora},
	}
	const withdraws = policy.Header + "\nwithdraw *\n"
	s := &steering{revision: 10}
	for _, step := range []struct {
		document       string
		revision       int64
		news, withheld bool
	}{
		{withdraws, 10, false, false},
		{withdraws, 12, true, true},
		{"", 11, false, true},
		{withdraws, 13, false, true},
		{"", 14, true, false},
	} {
		news := a.takePolicy(s, step.document, step.revision)
		_, why := a.withheld()
		if news != step.news || (why != nil) != step.withheld {
			t.Errorf("%+v: have %t, %v", step, news, why)
		}
	}
}
