package sd_test

import (
	"net/netip"
	"strings"
	"testing"
	"unicode"

	"example.com/daytime/sd"
)

func TestInstances(t *testing.T) {
	for _, s := range []string{
		alice,
		carol,
		"127.0.0.1:13",
		"127.255.255.254:13",
		"10.0.0.255:13", // a broadcast address of some networks, and a host of others
		"169.254.1.1:13",
		"240.0.0.1:13",
		"255.255.255.254:13",
		"[64:ff9b::c000:201]:13",
		"[::2]:13",
		"[fd00::1]:13",
		"[::1]:13",
		"192.0.2.1:1",
		"192.0.2.1:65535",
		"[2001:db8:1:2:3:4:5:6]:8897",
	} {
		if err := sd.CheckInstance(s); err != nil {
			t.Errorf("%s: want it accepted, have %v", s, err)
		}
	}
}

// What a registry may hold and nobody should dial, by the reason that is given.
func TestNoInstances(t *testing.T) {
	const huge = 1 << 20
	for reason, names := range map[string][]string{
		"not an ip:port": {
			"", ":", "..", "zookeeper", "_c_x", "lock-0000000001",
			"192.0.2.1", "[::1]", "::1:13", "192.0.2.1:", ":8897",
			"example.com:13", "localhost:13", "192.0.2.1:daytime",
			"127.1:13", "010.0.0.1:13", "0x7f.0.0.1:13", "2130706433:13", "256.0.0.1:13",
			"1.2.3.4:65536", "1.2.3.4:+80", "1.2.3.4:-1", "1.2.3.4:8 0", "1.2.3.4:13 ", " 1.2.3.4:13",
			"1.2.3.4:13\n", "1.2.3.4:13\x00", "1.2.3.4:13,1.2.3.5:13", "http://1.2.3.4:13", "user@1.2.3.4:13",
			"1.2.3.4%0a:13", "1.2.3.4\u202e:13", "\uff11.2.3.4:13", "1.2.3.4\u200b:13", "[1.2.3.4]:13",
			strings.Repeat("a", huge),
		},
		"not in canonical form": {
			"1.2.3.4:013", "1.2.3.4:00", "[2001:DB8::3]:8897", "[2001:db8:0::3]:8897", "[0:0:0:0:0:0:0:1]:13",
			"[::ffff:c000:201]:13", "[::0]:13",
		},
		"port 0": {"1.2.3.4:0", "[::1]:0"},
		"zone": {"[fe80::1%eth0]:13", "[fe80::1%25eth0]:13", "[fe80::1%\x1b[31m]:013",
			"[fe80::1%" + strings.Repeat("a", huge) + "]:013"},
		"broadcast":      {"255.255.255.255:13", "127.255.255.255:13"},
		"0.0.0.0/8":      {"0.0.0.1:13", "0.1.2.3:13", "0.255.255.255:13"},
		"without a zone": {"[fe80::1]:13", "[febf:ffff::1]:13"},
		"second form": {"[::c000:201]:8897", "[::7f00:1]:13", "[::ffff:192.0.2.1]:8897",
			"[::ffff:0.0.0.0]:13", "[::ffff:224.0.0.1]:13"},
		"unspecified": {"0.0.0.0:13", "[::]:13"},
		"multicast":   {"224.0.0.1:13", "239.255.255.250:1900", "[ff02::1]:13"},
	} {
		for _, s := range names {
			err := sd.CheckInstance(s)
			if err == nil {
				t.Errorf("%.40q: want it refused (%s)", s, reason)
				continue
			}
			if !strings.Contains(err.Error(), reason) {
				t.Errorf("%.40q: want %q in the error, have %.300q", s, reason, err)
			}
			harmless(t, err)
		}
	}
}

// harmless checks that an error can be logged and printed, whatever the name was: short, and
// without control characters.
func harmless(t *testing.T, err error) {
	t.Helper()
	if n := len(err.Error()); n > 500 {
		t.Errorf("error: want it short, have %d bytes", n)
	}
	if strings.ContainsFunc(err.Error(), func(c rune) bool { return !unicode.IsPrint(c) }) {
		t.Errorf("error: want what can be printed, have %q", err)
	}
}

// What is accepted is what netip prints, can be dialled, and is the only spelling of its address.
func FuzzCheckInstance(f *testing.F) {
	for _, s := range []string{alice, carol, "[fe80::1%eth0]:13", "0.0.0.0:13", "1.2.3.4:013",
		"224.0.0.1:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ap, parseErr := netip.ParseAddrPort(s)
		if err := sd.CheckInstance(s); err != nil {
			harmless(t, err)
			return
		}
		if parseErr != nil || ap.String() != s {
			t.Errorf("%q was accepted: netip reads %v, %v", s, ap, parseErr)
		}
		if ap.Port() == 0 || ap.Addr().Zone() != "" || ap.Addr().IsUnspecified() ||
			ap.Addr().IsMulticast() ||
			strings.HasPrefix(s, "255.255.255.255:") || strings.HasPrefix(s, "0.") ||
			strings.HasPrefix(s, "[fe8") {
			t.Errorf("%q was accepted and cannot be dialled", s)
		}
		if len(s) > len("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535") {
			t.Errorf("%q was accepted and has %d bytes", s, len(s))
		}
	})
}

// The check runs on every name of every listing.
func BenchmarkCheckInstance(b *testing.B) {
	for _, s := range []string{"10.20.30.40:8897", "[2001:db8::30]:8897"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := sd.CheckInstance(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
