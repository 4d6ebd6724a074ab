package watch

import (
	"testing"
	"testing/synctest"
	"time"

	gozk "github.com/go-zookeeper/zk"
)

// A state that is older than one seen before is refused, but not for ever: a registry that was
// restored from a copy must be believed in the end.
func TestAdmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := unconnected(t)
		steps := []struct {
			after        time.Duration
			czxid, pzxid int64
			want         bool
			ctime        int64
		}{
			{0, 5, 10, true, 1},
			{0, 5, 12, true, 1},
			{0, 5, 11, false, 1}, // older
			{time.Second, 5, 11, false, 1},
			{time.Second, 5, 12, true, 1},
			{0, 20, 21, true, 1},                // made anew
			{0, 20, 20, false, 1},               // older
			{20 * time.Second, 20, 20, true, 1}, // for two session timeouts
			{0, 20, 21, true, 1},
			{time.Hour, 20, 20, false, 1}, // time alone does not make an old state good
			{0, 3, 4, true, 2},            // made later, in another ensemble
		}
		for n, s := range steps {
			time.Sleep(s.after)
			if have := d.admit(&gozk.Stat{Czxid: s.czxid, Pzxid: s.pzxid, Ctime: s.ctime}, 0); have != s.want {
				t.Fatalf("step %d, %+v: have %t", n+1, s, have)
			}
		}
	})
}
