package etcd

import (
	"context"
	"errors"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/zk/zktest"
)

// While an audit reads nothing is taken from a stream: that an answer was not taken is no silence,
// however slow the network makes audits.
func TestAuditsOfFollowerAreNoSilence(t *testing.T) {
	member := etcdtest.Start(t)
	proxy := zktest.NewProxy(t, member.Addr())
	_, other := openConn(t, "etcd://"+member.Addr())
	if _, err := other.Put(t.Context(), "/go_servers", ""); err != nil {
		t.Fatal(err)
	}
	b, _ := openConn(t, "etcd://"+proxy.Addr()+"?ttl=3s")
	b.auditEvery = time.Second
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun, ended := make(chan bool, 100), make(chan error, 1)
	go func() { ended <- b.Watch(ctx, sd.Want{}, func(sd.Change) { begun <- true }) }()
	<-begun
	proxy.Delay(300 * time.Millisecond)
	select {
	case err := <-ended:
		t.Fatalf("want the watch going on, have %v", err)
	case <-time.After(10 * time.Second):
	}
	proxy.Heal()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// The same of the stream of renewals.
func TestAuditsOfAnnouncerAreNoSilence(t *testing.T) {
	member := etcdtest.Start(t)
	proxy := zktest.NewProxy(t, member.Addr())
	b, n := openConn(t, "etcd://"+proxy.Addr()+"?ttl=3s") // which is asked for a sign every second
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	audit, registered, ended := make(chan time.Time), make(chan bool, 1), make(chan error, 1)
	a, s := announceDeaf(t, b, n, func(sd.Status) { registered <- true }, audit)
	go func() { ended <- a.obey(ctx, s) }()
	<-registered
	<-time.After(300 * time.Millisecond) // the first renewal is over
	for range 5 {
		proxy.Stall(zktest.ToClient)
		before := proxy.Bytes(zktest.ToTarget)
		wait.For(t, 5*time.Second, func() error {
			if proxy.Bytes(zktest.ToTarget) == before {
				return errors.New("want a renewal asked for, have none")
			}
			return nil
		})
		<-time.After(300 * time.Millisecond)
		select {
		case audit <- time.Now():
		case err := <-ended:
			t.Fatalf("want the entry kept, have %v", err)
		}
		<-time.After(800 * time.Millisecond)
		proxy.Heal()
		<-time.After(300 * time.Millisecond)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("want the entry kept, have %v", err)
	}
}
