package etcd

import (
	"testing"
	"time"

	"example.com/daytime/sd/internal/record"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// Processes in two containers of one host have the same number, as often as not: what the other one
// wrote counts as taken from it, or they would take the entry from each other for ever.
func TestWrote(t *testing.T) {
	self := record.Self()
	r := &registration{backend: &Backend{owner: self}, instance: "192.0.2.1:8897"}
	for name, test := range map[string]struct {
		change func(*record.Owner)
		want   bool
	}{
		"ours":              {func(*record.Owner) {}, true},
		"another number":    {func(o *record.Owner) { o.Process++ }, false},
		"another container": {func(o *record.Owner) { o.Start = o.Start.Add(-time.Hour) }, false},
	} {
		owner := self
		test.change(&owner)
		value := record.Record{Instance: r.instance, Owner: owner}.Encode()
		if have := r.wrote(&mvccpb.KeyValue{Value: value}); have != test.want {
			t.Errorf("%s: want %t, have %t", name, test.want, have)
		}
	}
}
