package doctor

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"example.com/daytime/cmd/internal/doctor/report"
	"example.com/daytime/cmd/internal/doctor/words"
	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	"example.com/daytime/sd/policy"
	"example.com/daytime/transport/transporttest"
)

// An address that hangs takes nothing of the time of the next one.
func TestDialEach(t *testing.T) {
	hangs := netip.MustParseAddrPort(transporttest.Full(t))
	well := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), hangs.Port())
	l, err := net.Listen("tcp", well.String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := &diagnosis{Config: Config{Timeout: 300 * time.Millisecond}}
	d.dialEach(t.Context(), []netip.Addr{hangs.Addr(), well.Addr()}, port(well.String()))
	want := []report.Severity{report.Warning, report.OK}
	for i, f := range d.Findings {
		if f.Severity != want[i] {
			t.Errorf("want %v, have %+v", want, d.Findings)
		}
	}
}

// Between two epochs of leaders nobody counts changes (a zxid is epoch<<32 + counter).
func TestLagAcrossEpochs(t *testing.T) {
	for _, test := range []struct {
		zxid int64
		want string
	}{
		{2<<32 + 1, "the observer is 6 changes behind another member"},
		{1<<32 + 9, "the observer is behind another member, which has had another leader since"},
	} {
		m := &member{host: "192.0.2.1:2181", address: "192.0.2.1:2181",
			srvr: words.Server{Version: "3.8.0", Mode: "observer", Zxid: test.zxid}}
		z := &zookeeper{diagnosis: &diagnosis{}, members: []*member{m}}
		z.tellLag([]bool{true}, 2<<32+7)
		if have := z.Findings[0].Problem; !strings.HasPrefix(have, test.want) {
			t.Errorf("want %s, have %s", test.want, have)
		}
	}
}

// Whatever the registry is: who ignores its policy is told so, if there is one.
func TestPolicyOff(t *testing.T) {
	registry := mem.NewRegistry()
	backend := registry.Open()
	defer backend.Close()
	off := want{report.Warning, "policy", "", "policy=off in --sd: who uses this target ignores it"}
	for document, told := range map[string]bool{"": false, policy.Header + "\nweight * 50\n": true} {
		registry.SetPolicy(document)
		r := Examine(t.Context(), Config{Backend: backend, Timeout: timeout,
			Target: sd.Target{Scheme: "mem", Keys: map[string]string{"policy": "off"}}})
		if has(r, off) != told {
			t.Errorf("%q: want it told: %v, have\n%s", document, told, problems(r))
		}
	}
}
