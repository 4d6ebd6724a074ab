package dns

import (
	"fmt"
	"testing"

	mdns "github.com/miekg/dns"
)

// Whatever a server sends is taken apart without harm, and nothing in it lives longer than it may.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		service + " 60 IN SRV 10 5 8897 a.example.com.",
		"a.example.com. 60 IN CNAME a.example.com.",
		"a.example.com. 60 IN AAAA 2001:db8::3",
		"example.com. 60 IN SOA ns.example.com. admin.example.com. 1 1 1 1 1",
	} {
		rr, err := mdns.NewRR(text)
		if err != nil {
			f.Fatal(err)
		}
		m := new(mdns.Msg).SetQuestion(rr.Header().Name, rr.Header().Rrtype)
		m.Answer, m.Ns, m.Extra = []mdns.RR{rr}, []mdns.RR{rr}, []mdns.RR{rr}
		packed, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		m := new(mdns.Msg)
		if m.Unpack(packed) != nil || len(m.Question) == 0 {
			return
		}
		name := m.Question[0].Name
		if _, ttl := canonical(m.Answer, name); ttl > maxTTL {
			t.Errorf("want %v at most, have %v", maxTTL, ttl)
		}
		negativeTTL(m.Ns)
		found := result{answer: answer{m, true}}
		if h, ok := found.beside(name); ok && len(h.addresses) == 0 || h.ttl > maxTTL {
			t.Errorf("want addresses for at most %v, have %v", maxTTL, h)
		}
		for _, a := range addressesIn(m.Answer) {
			if !a.IsValid() {
				t.Errorf("want addresses, have %v", a)
			}
		}
	})
}

// BenchmarkRead asks for SRV records that fit into a datagram, with a question for each address,
// and for so many that they come over TCP with their addresses beside them.
func BenchmarkRead(b *testing.B) {
	for _, n := range []int{10, 300} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d := newDirectory(b)
			for m := range n {
				d.Put(fmt.Sprintf("192.0.2.%d:%d", m%250+1, 8000+m))
			}
			backend := d.open(b, service, "")
			for b.Loop() {
				records, _, err := backend.read(b.Context())
				if err != nil || len(records) != n {
					b.Fatalf("want %d records, have %d, %v", n, len(records), err)
				}
			}
		})
	}
}
