package dns

import (
	"errors"
	"net"
	"slices"
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

// What a server that recurses has beside SRV records is what it happens to have in its cache: the
// addresses of one kind do not mean that there are none of the other.
func TestCacheHasOneKind(t *testing.T) {
	for _, authority := range []bool{false, true} {
		z := newZone(t, service+" 60 IN SRV 0 0 8897 a.example.com.",
			"a.example.com. 60 IN A 192.0.2.1", "a.example.com. 60 IN AAAA 2001:db8::3")
		z.instead(func(w mdns.ResponseWriter, q *mdns.Msg) {
			z.mu.Lock()
			defer z.mu.Unlock()
			reply := z.reply(q)
			reply.Authoritative = authority
			if q.Question[0].Qtype == mdns.TypeSRV {
				reply.Truncated = w.LocalAddr().Network() == "udp"
				reply.Extra = slices.DeleteFunc(reply.Extra, func(rr mdns.RR) bool {
					return !authority && rr.Header().Rrtype == mdns.TypeAAAA
				})
			}
			w.WriteMsg(reply)
		})
		f := follow(t, z.open(t, service, ""))
		f.shows(alice, carol)
		f.Stop()
		if asked := z.count("udp A"); (asked == 0) != authority {
			t.Errorf("authority %v: have %d questions for addresses", authority, asked)
		}
	}
}

// A server may have an alias in its cache, and not what it leads to, beside which it names others to
// ask (NLnetLabs/unbound#412).
func TestAliasAlone(t *testing.T) {
	z := newZone(t, "a.example.com. 60 IN CNAME b.example.com.", "b.example.com. 60 IN A 192.0.2.1")
	z.instead(func(w mdns.ResponseWriter, q *mdns.Msg) {
		z.mu.Lock()
		defer z.mu.Unlock()
		reply := z.reply(q)
		if q.Question[0].Name == "a.example.com." {
			ns, _ := mdns.NewRR("example.com. 60 IN NS ns.example.com.")
			reply.Answer, reply.Ns = reply.Answer[:1], []mdns.RR{ns}
		}
		w.WriteMsg(reply)
	})
	f := follow(t, z.open(t, "a.example.com", "&port=8897"))
	f.shows(alice)
	f.Stop()
}

// Each SRV record stands for all addresses of its target: no answer makes more of them than can be
// held.
func TestTooManyRecords(t *testing.T) {
	z := newZone(t)
	z.instead(func(w mdns.ResponseWriter, q *mdns.Msg) {
		reply := new(mdns.Msg).SetReply(q)
		reply.Compress = true
		name := q.Question[0].Name
		for n := range 1024 {
			header := mdns.RR_Header{Name: name, Rrtype: q.Question[0].Qtype, Class: mdns.ClassINET, Ttl: 60}
			switch header.Rrtype {
			case mdns.TypeSRV:
				reply.Answer = append(reply.Answer,
					&mdns.SRV{Hdr: header, Port: uint16(n + 1), Target: "a.example.com."})
			case mdns.TypeA:
				reply.Answer = append(reply.Answer,
					&mdns.A{Hdr: header, A: net.IPv4(192, 0, byte(n>>8), byte(n))})
			}
		}
		if w.LocalAddr().Network() == "udp" {
			reply.Truncate(mdns.MinMsgSize)
		}
		w.WriteMsg(reply)
	})
	if records, _, err := z.open(t, service, "").read(t.Context()); !errors.Is(err, errRecords) {
		t.Errorf("1024 SRV records, 1024 addresses: want %v, have %d records, %v", errRecords,
			len(records), err)
	}
}
