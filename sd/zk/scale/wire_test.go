package scale

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/zk/zktest"
)

// A cost is what travels between ZooKeeper and a watcher. A packet is one frame of ZooKeeper's
// protocol.
type cost struct {
	bytes    float64 // to the watcher
	packets  float64 // to the watcher
	requests float64 // from the watcher
	asked    float64 // bytes from the watcher
}

// A session pings every three seconds, so that a few of these may be among what is counted.
const (
	pingRequest = 12 // bytes
	pingReply   = 20
)

// wire has w, which is connected through proxy, see changes of both kinds, and returns what one
// costs.
func (f *fleet) wire(
	tb testing.TB, w *watcher, proxy *zktest.Proxy, path string, changes int,
) cost {
	tb.Helper()
	w.start()
	w.next(tb)
	time.Sleep(settled) // what belongs to the start has ended
	proxy.Forget()
	before := f.packets(tb)
	for k := range changes {
		c := change{path, instance(f.n), k%2 == 0}
		f.apply(tb, c)
		w.await(tb, c)
		time.Sleep(trail)
	}
	after := f.packets(tb)
	each := float64(changes)
	return cost{
		bytes:    float64(proxy.Bytes(zktest.ToClient)) / each,
		packets:  float64(after.sent-before.sent) / each,
		requests: float64(after.received-before.received) / each,
		asked:    float64(proxy.Bytes(zktest.ToTarget)) / each,
	}
}

// packets are ZooKeeper's own counts.
type packets struct{ received, sent int64 }

// packets sums up the sessions other than the registrant's.
func (f *fleet) packets(tb testing.TB) (sum packets) {
	tb.Helper()
	own := fmt.Sprintf("sid=0x%x,", uint64(f.conn.SessionID()))
	counts := regexp.MustCompile(`recved=(\d+),sent=(\d+),sid=`)
	for line := range strings.Lines(f.server.FourLetter(tb, "cons")) {
		m := counts.FindStringSubmatch(line)
		if m == nil || strings.Contains(line, own) {
			continue
		}
		received, _ := strconv.ParseInt(m[1], 10, 64) // digits
		sent, _ := strconv.ParseInt(m[2], 10, 64)
		sum.received += received
		sum.sent += sent
	}
	return sum
}

// What one change costs on the wire.
func BenchmarkWire(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		f := newFleet(b, n)
		const path = "/servers"
		f.directory(b, path)
		costs := tally{}
		for b.Loop() {
			for _, c := range contenders() {
				if c.sitsOut(n, 0) {
					continue
				}
				changes := 20
				if c.name == "kit" {
					changes = 2
				}
				proxy := zktest.NewProxy(b, f.server.Addr())
				w := c.open(b, f, proxy.Addr(), path)
				have := f.wire(b, w, proxy, path, changes)
				w.close()
				costs.add(c.name, "bytes", have.bytes)
				costs.add(c.name, "packets", have.packets)
				costs.add(c.name, "requests", have.requests)
			}
		}
		costs.report(b, "bytes", "packets", "requests")
	})
}

// A change is one packet of at most 120 bytes, and no request, however many instances there are.
func TestChangeOnTheWire(t *testing.T) {
	const n, changes = 10_000, 20
	f := newFleet(t, n)
	for _, c := range []contender{{"follow", openFollow}, {"pool", openPool},
		{"channel", openChannel}} {
		t.Run(c.name, func(t *testing.T) {
			path := "/" + c.name
			f.directory(t, path)
			proxy := zktest.NewProxy(t, f.server.Addr())
			w := c.open(t, f, proxy.Addr(), path)
			defer w.close()
			have := f.wire(t, w, proxy, path, changes)
			pings := have.requests + 1./changes // one may be under way
			if have.bytes-pings*pingReply > 120 || have.packets-pings > 1 || have.asked > pings*pingRequest {
				t.Errorf("a change: want at most 120 bytes, 1 packet and no request but pings, have %+v", have)
			}
		})
	}
}
