package host

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"testing"
)

func ExampleListeners_At() {
	all := Listeners{netip.MustParseAddrPort("[::]:8897"): {{7}}}
	fmt.Println(all.At(netip.MustParseAddrPort("192.0.2.1:8897")))
	// Output: [7]
}

// A process finds itself where it listens, on an address of its own or on all.
func TestListening(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0"} {
		l, err := net.Listen("tcp", listen)
		if err != nil {
			t.Logf("%s: %v", listen, err) // a host without IPv6
			continue
		}
		defer l.Close()
		at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"),
			uint16(l.Addr().(*net.TCPAddr).Port))
		if pids := Listening().At(at); !slices.Contains(pids, os.Getpid()) {
			t.Errorf("%s: want %d, have %v", listen, os.Getpid(), pids)
		}
	}
	if !IsProcess(os.Getpid(), os.Getpid()) || IsProcess(os.Getpid(), 1<<22+1) {
		t.Error("want this process to be itself alone")
	}
	if h := This(); h.Boot == "" || !slices.Contains(h.Addresses,
		netip.MustParseAddr("127.0.0.1")) {
		t.Errorf("have %+v", h)
	}
}

// A socket that two processes hold, as systemd and a service that got it from there, has no rival.
// Of two sockets the one may get what was meant for the other.
func TestRivals(t *testing.T) {
	at := netip.MustParseAddrPort("192.0.2.1:8897")
	for _, test := range []struct {
		sockets [][]int
		want    []int
	}{
		{nil, nil},
		{[][]int{{7}}, nil},
		{[][]int{{1, 7}}, nil},
		{[][]int{{7}, {7}}, nil},
		{[][]int{{8}, {7}}, []int{7, 8}},
		{[][]int{{1, 7}, {8}}, []int{1, 8}},
	} {
		if have := (Listeners{at: test.sockets}).Rivals(at); !slices.Equal(test.want, have) {
			t.Errorf("%v: want %v, have %v", test.sockets, test.want, have)
		}
	}
}

// One that was handed over is one socket.
func TestHandedOver(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	child := exec.Command("cat")
	child.ExtraFiles = []*os.File{f}
	in, err := child.StdinPipe() // its end is that of the child
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer in.Close()
	at := netip.MustParseAddrPort(l.Addr().String())
	all := Listening()
	want := []int{os.Getpid(), child.Process.Pid}
	slices.Sort(want)
	if have := slices.Sorted(slices.Values(all.At(at))); !slices.Equal(want, have) {
		t.Errorf("processes: want %v, have %v", want, have)
	}
	if have := all.Rivals(at); have != nil {
		t.Errorf("rivals: want none, have %v", have)
	}
}

// Lines as proc(5) has them, and others.
func TestParseSocket(t *testing.T) {
	const line = "   0: 0100007F:22C1 00000000:0000 0A 00000000:00000000 00:00000000 00000000     " +
		"0        0 12345 1 0000000000000000 100 0 0 10 0"
	if addr, inode, ok := parseSocket(line); !ok || inode != "12345" || addr.Port() != 0x22c1 {
		t.Errorf("have %v, %s, %t", addr, inode, ok)
	}
	for _, other := range []string{"", "  sl  local_address rem_address   st tx_queue rx_queue tr " +
		"tm->when retrnsmt   uid  timeout inode",
		"0: zz:1 x 0A a b c d e f", "0: 0100007F:1 x 01 a b c d e f"} {
		if addr, _, ok := parseSocket(other); ok {
			t.Errorf("%q: have %v", other, addr)
		}
	}
}
