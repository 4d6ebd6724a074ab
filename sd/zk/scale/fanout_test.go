package scale

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

const (
	viewers       = 2000            // sessions that watch
	viewerTimeout = 5 * time.Minute // of these; none of them pings
	fanChanges    = 20              // one after the other
)

// A viewer is the least that a watcher can be: a session with a persistent watch, which counts
// events. A client library for each would measure the memory of this process.
type viewer struct{ net.Conn }

// openViewer returns a viewer of path, once the watch is armed.
func openViewer(addr, path string) (*viewer, error) {
	conn, err := net.DialTimeout("tcp", addr, bound)
	if err != nil {
		return nil, err
	}
	v := &viewer{conn}
	const opAddWatch, recursive = 106, 1
	login := binary.BigEndian.AppendUint32(make([]byte, 12), uint32(viewerTimeout.Milliseconds()))
	login = binary.BigEndian.AppendUint32(append(login, make([]byte, 8)...), 16)
	login = append(login, make([]byte, 16)...)
	watch := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 1}, opAddWatch)
	watch = append(binary.BigEndian.AppendUint32(watch, uint32(len(path))), path...)
	watch = binary.BigEndian.AppendUint32(watch, recursive)
	for _, request := range [][]byte{login, watch} {
		if err := v.send(request); err != nil {
			return v, err
		}
		if _, err := v.receive(); err != nil {
			return v, err
		}
	}
	return v, nil
}

func (v *viewer) send(request []byte) error {
	_, err := v.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(request))), request...))
	return err
}

// receive reads one frame and returns its size, length included.
func (v *viewer) receive() (int, error) {
	var length [4]byte
	if _, err := io.ReadFull(v, length[:]); err != nil {
		return 0, err
	}
	size := int(binary.BigEndian.Uint32(length[:]))
	_, err := io.CopyN(io.Discard, v, int64(size))
	return 4 + size, err
}

// An auditorium is many viewers of one directory.
type auditorium struct {
	viewers []*viewer
	seen    chan time.Time
}

func openAuditorium(tb testing.TB, addr, path string) *auditorium {
	tb.Helper()
	a := &auditorium{seen: make(chan time.Time, viewers)}
	var running sync.WaitGroup
	tb.Cleanup(func() {
		for _, v := range a.viewers {
			v.Close()
		}
		running.Wait()
	})
	for range viewers {
		v, err := openViewer(addr, path)
		if v != nil {
			a.viewers = append(a.viewers, v)
		}
		if err != nil {
			tb.Fatalf("viewer %d: %v", len(a.viewers), err)
		}
		running.Go(func() {
			for _, err := v.receive(); err == nil; _, err = v.receive() {
				a.seen <- time.Now()
			}
		})
	}
	return a
}

// all returns when every viewer has had one more event.
func (a *auditorium) all() (last time.Time, err error) {
	timeout := time.NewTimer(bound)
	defer timeout.Stop()
	for n := range a.viewers {
		select {
		case last = <-a.seen:
		case <-timeout.C:
			return last, fmt.Errorf("%d of %d viewers have the event", n, len(a.viewers))
		}
	}
	return last, nil
}

// How many events one server sends in a second, on the processors that it shares with the readers.
func BenchmarkFanOut(b *testing.B) {
	f := newFleet(b, 1000)
	const path = "/servers"
	f.directory(b, path)
	a := openAuditorium(b, f.server.Addr(), path)
	var rates []float64
	for b.Loop() {
		began := time.Now()
		for k := range fanChanges {
			f.apply(b, change{path, instance(f.n), k%2 == 0})
			if _, err := a.all(); err != nil {
				b.Fatal(err)
			}
		}
		rates = append(rates, fanChanges*viewers/time.Since(began).Seconds())
	}
	b.ReportMetric(median(rates), "events/s")
	b.ReportMetric(0, "ns/op")
}
