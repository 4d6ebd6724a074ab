package dns

import (
	"testing"

	mdns "github.com/miekg/dns"
)

// Some servers say of a name that has addresses of one kind alone that it does not exist when they
// are asked for the other (RFC 4074, section 4.2).
func TestNameOfOneKind(t *testing.T) {
	for _, test := range []struct {
		record, want string
		denied       uint16
	}{
		{"a.example.com. 60 IN A 192.0.2.1", alice, mdns.TypeAAAA},
		{"a.example.com. 60 IN AAAA 2001:db8::3", carol, mdns.TypeA},
	} {
		z := newZone(t, service+" 60 IN SRV 0 0 8897 a.example.com.", test.record)
		z.instead(func(w mdns.ResponseWriter, q *mdns.Msg) {
			z.mu.Lock()
			defer z.mu.Unlock()
			reply := z.reply(q)
			if q.Question[0].Qtype == test.denied {
				reply.Rcode = mdns.RcodeNameError
			}
			w.WriteMsg(reply)
		})
		for name, keys := range map[string]string{service: "", "a.example.com": "&port=8897"} {
			f := follow(t, z.open(t, name, keys))
			f.shows(test.want)
			f.Stop()
		}
	}
}
