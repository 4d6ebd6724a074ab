package scale

import (
	"context"
	"slices"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// How long a client takes, on an established session, until it has the set with all attributes and
// the policy, in milliseconds (follow): beside a bare list and multiRead of the same nodes, and a
// get for each child.
func BenchmarkAttributesCold(b *testing.B) {
	const path = "/servers"
	f := newFleet(b, 10_000)
	f.documents(b, path)
	s, err := session.New(session.Config{Hosts: []string{f.server.Addr()}})
	if err != nil {
		b.Fatal(err)
	}
	s.Start(nil)
	defer s.Close()
	conn, err := s.Wait(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	took := tally{}
	for b.Loop() {
		took.add("follow", "ms", millis(f.followAttributes(b, path)))
		began := time.Now()
		names, _, err := conn.Children(path)
		if err != nil {
			b.Fatal(err)
		}
		paths := make([]string, len(names))
		for i, name := range names {
			paths[i] = path + "/" + name
		}
		if reads, err := conn.MultiRead(paths); err != nil || len(reads) != f.n {
			b.Fatalf("multiRead: want %d results, have %d, %v", f.n, len(reads), err)
		}
		took.add("multiread", "ms", millis(time.Since(began)))
		began = time.Now()
		for _, path := range paths {
			if _, _, err := conn.Get(path); err != nil {
				b.Fatal(err)
			}
		}
		took.add("gets", "ms", millis(time.Since(began)))
	}
	took.report(b, "ms")
	took.ratio(b, "follow", "multiread", "ms")
	took.ratio(b, "gets", "follow", "ms")
}

// documents makes a directory with a policy, whose nodes hold the documents of instances with
// attributes.
func (f *fleet) documents(tb testing.TB, path string) {
	tb.Helper()
	text := []byte(policy.Header + "\ndrain 10.0.0.1\n")
	if _, err := f.conn.Create(path, text, 0, gozk.WorldACL(gozk.PermAll)); err != nil {
		tb.Fatal(err)
	}
	weight := 50
	r := record.Record{Service: "servers", Owner: record.Self(), Attributes: policy.Attributes{
		Weight: &weight, Zone: "eu-1a", Tags: map[string]string{"version": "2.1"}, Since: time.Now()}}
	for ks := range slices.Chunk(count(f.n), perMulti) {
		var ops []any
		for _, k := range ks {
			r.Instance = instance(k)
			ops = append(ops, &gozk.CreateRequest{Path: path + "/" + r.Instance, Data: r.Encode(),
				Acl: gozk.WorldACL(gozk.PermAll)})
		}
		if _, err := f.conn.Multi(ops...); err != nil {
			tb.Fatal(err)
		}
	}
}

// followAttributes returns how long the first Watch of a Backend takes until its first set, with
// the attributes of all.
func (f *fleet) followAttributes(tb testing.TB, path string) time.Duration {
	tb.Helper()
	backend := connecting(tb, f.server.Addr(), path)
	defer backend.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if _, _, err := backend.ReadPolicy(ctx); err != nil { // and there is a session
		tb.Fatal(err)
	}
	var took time.Duration
	began := time.Now()
	err := backend.Watch(ctx, sd.Want{Attributes: true, Policy: true}, func(c sd.Change) {
		took = time.Since(began)
		if len(c.Up) != f.n || len(c.Attributes) != f.n || c.Policy == nil {
			tb.Errorf("want %d instances with attributes, have %d and %d", f.n, len(c.Up), len(c.Attributes))
		}
		cancel()
	})
	if took == 0 {
		tb.Fatal(err)
	}
	return took
}
