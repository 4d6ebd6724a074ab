package etcd

import (
	"context"
	"errors"
	"fmt"
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
)

const dora = "192.0.2.4:8897"

// A right to read the policy that is given back raises no revision: what it is then counts, once.
func TestPolicyThatMayBeReadAgain(t *testing.T) {
	a := &announcement{registration: &registration{}}
	s := &steering{policy: "", revision: 7, blind: true}
	withdrawn := policy.Header + "\nwithdraw " + dora + "\n"
	for n, want := range []bool{true, false} {
		if have := a.takePolicy(s, withdrawn, 7); have != want {
			t.Errorf("time %d: want another policy: %v, have %v", n, want, have)
		}
	}
	if _, why := a.gate.Withheld(policy.Entry{Instance: dora}, time.Now()); why == nil {
		t.Error("want it withheld")
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

// An audit notices the end of a line of the policy by the wall clock, whatever became of the timer.
func TestAuditNoticesTheEndOfALine(t *testing.T) {
	member := etcdtest.Start(t)
	b, n := openConn(t, "etcd://"+member.Addr())
	a, s := announceDeaf(t, b, n, func(sd.Status) {}, nil)
	for _, test := range []struct {
		again time.Time
		want  error
	}{{time.Time{}, nil}, {time.Now().Add(time.Hour), nil}, {time.Now().Add(-time.Hour), errSteered}} {
		s.again = test.again
		if have := a.audit(t.Context(), s); have != test.want {
			t.Errorf("asked again at %v: want %v, have %v", test.again, test.want, have)
		}
	}
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
