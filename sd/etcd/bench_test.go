package etcd_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/zk/zktest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const many = 10_000

// fill makes a directory of many servers' documents.
func fill(b *testing.B, client *clientv3.Client) {
	b.Helper()
	lease := grant(b, client)
	put(b, client, "/go_servers", "")
	var batch []clientv3.Op
	for n := range many {
		r := record.Record{Instance: fmt.Sprintf("198.18.%d.%d:8897", n/250, n%250+1), Service: "go_servers"}
		batch = append(batch, clientv3.OpPut("/go_servers/"+r.Instance, string(r.Encode()), clientv3.WithLease(lease)))
		if len(batch) == 100 {
			if _, err := client.Txn(b.Context()).Then(batch...).Commit(); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
}

// A contender follows a directory, and returns when it has the set, with a function that waits for
// the next change.
type contender func(b *testing.B, addr string) (changed func() error, stop func())

func ours(b *testing.B, addr string) (func() error, func()) {
	backend := open(b, "etcd://"+addr)
	ctx, cancel := context.WithCancel(context.Background())
	news, done := make(chan int, 16), make(chan error, 1)
	go func() {
		done <- backend.Watch(ctx, sd.Want{}, func(c sd.Change) { news <- len(c.Up) + len(c.Down) })
	}()
	wait := func() error {
		select {
		case <-news:
			return nil
		case err := <-done:
			return err
		}
	}
	if err := wait(); err != nil {
		b.Fatal(err)
	}
	return wait, func() {
		cancel()
		<-done
		backend.Close()
	}
}

// least is etcd's own client with as little around it as can be: a get and a watch. It believes
// everything.
func least(b *testing.B, addr string) (func() error, func()) {
	client := connect(b, addr)
	ctx, cancel := context.WithCancel(context.Background())
	got, err := client.Get(ctx, "/go_servers/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil || len(got.Kvs) != many {
		b.Fatalf("want %d keys, have %d, %v", many, len(got.Kvs), err)
	}
	set := make(map[string]struct{}, len(got.Kvs))
	for _, kv := range got.Kvs {
		set[string(kv.Key)] = struct{}{}
	}
	changes := client.Watch(ctx, "/go_servers/", clientv3.WithPrefix(), clientv3.WithRev(got.Header.Revision+1))
	changed := func() error {
		response := <-changes
		return response.Err()
	}
	return changed, func() {
		cancel()
		client.Close()
	}
}

// BenchmarkStart is from nothing to the whole set, BenchmarkChange from the write of a key to the
// news of it, the write included; both at 10,000 keys, beside etcd's own client.
func BenchmarkStart(b *testing.B) {
	each(b, func(b *testing.B, follow contender, proxy *zktest.Proxy, _ *clientv3.Client) {
		before := proxy.Bytes(zktest.ToClient)
		for b.Loop() {
			_, stop := follow(b, proxy.Addr())
			stop()
		}
		b.ReportMetric(float64(proxy.Bytes(zktest.ToClient)-before)/float64(b.N), "B/start")
	})
}

func BenchmarkChange(b *testing.B) {
	each(b, func(b *testing.B, follow contender, proxy *zktest.Proxy, client *clientv3.Client) {
		changed, stop := follow(b, proxy.Addr())
		defer stop()
		<-time.After(100 * time.Millisecond)
		before := proxy.Bytes(zktest.ToClient)
		n := 0
		for b.Loop() {
			n++
			put(b, client, fmt.Sprintf("/go_servers/198.19.%d.%d:%d", n/62500, n/250%250, n%250+1), "")
			if err := changed(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(proxy.Bytes(zktest.ToClient)-before)/float64(b.N), "B/change")
	})
}

func each(b *testing.B, run func(*testing.B, contender, *zktest.Proxy, *clientv3.Client)) {
	for _, c := range []struct {
		name string
		contender
	}{{"ours", ours}, {"least", least}} {
		b.Run(c.name, func(b *testing.B) {
			member := etcdtest.Start(b)
			client := connect(b, member.Addr())
			fill(b, client)
			proxy := zktest.NewProxy(b, member.Addr())
			run(b, c.contender, proxy, client)
		})
	}
}
