package host

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
)

func ExampleListeners_At() {
	all := Listeners{netip.MustParseAddrPort("[::]:8897"): {7}}
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
