package scale

import (
	"net"
	"testing"
	"time"

	"example.com/daytime/sd"
	kitlog "github.com/go-kit/log"
)

// How long a new watcher takes until it has the whole set, in milliseconds: from an established
// session for each contender (event: until the watch is armed), and from Open to the first set,
// beside a bare connect and a bare list.
func BenchmarkCold(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		f := newFleet(b, n)
		const path = "/servers"
		f.directory(b, path)
		took := tally{}
		open := tally{}
		round := 0
		for b.Loop() {
			for _, c := range shuffled(contenders()) {
				if !c.sitsOut(n, 4*round) {
					w := c.open(b, f, f.server.Addr(), path)
					took.add(c.name, "cold-ms", millis(w.cold(b)))
					w.close()
				}
			}
			f.connectAndList(b, path, open)
			f.openAndFollow(b, path, open)
			round++
		}
		took.report(b, "cold-ms")
		took.ratio(b, "kit", "follow", "cold-ms")
		took.ratio(b, "follow", "children", "cold-ms")
		connect, list, first := open.median("bare", "connect"), open.median("bare",
			"list"), open.median("follow", "first")
		b.ReportMetric(connect, "connect-ms")
		b.ReportMetric(list, "list-ms")
		b.ReportMetric(first, "open-to-first-ms")
		b.ReportMetric(first/(2*connect+list), "open-to-first/goal")
	})
}

func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// connectAndList is the least that it can take.
func (f *fleet) connectAndList(tb testing.TB, path string, open tally) {
	began := time.Now()
	conn, end := dial(tb, f.server.Addr(), net.DialTimeout, nil)
	defer end()
	connected := time.Now()
	if _, _, err := conn.Children(path); err != nil {
		tb.Error(err)
	}
	open.add("bare", "connect", millis(connected.Sub(began)))
	open.add("bare", "list", millis(time.Since(connected)))
}

// openAndFollow opens a Backend and measures until the first set is there.
func (f *fleet) openAndFollow(tb testing.TB, path string, open tally) {
	w := newWatcher()
	began := time.Now()
	b := connecting(tb, f.server.Addr(), path)
	defer b.Close()
	i := sd.NewInstancer(b, kitlog.NewNopLogger())
	defer i.Stop()
	i.Follow(func(c sd.Change) { w.saw(difference(c.Up, c.Down)) })
	open.add("follow", "first", millis(w.next(tb).at.Sub(began)))
}
