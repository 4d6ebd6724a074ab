package dns

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
	mdns "github.com/miekg/dns"
)

const service = "_daytime._tcp.example.com."

// A zone is a DNS server on loopback, over UDP and TCP, and what it knows.
type zone struct {
	address string

	mu      sync.Mutex
	records []mdns.RR
	answer  func(mdns.ResponseWriter, *mdns.Msg) // instead of the records; nil: the records
	asked   []string                             // "udp SRV name" and the like
}

// newZone starts a server that knows records, in the form of a zone file.
func newZone(t testing.TB, records ...string) *zone {
	t.Helper()
	z := &zone{}
	z.add(t, records...)
	var packets net.PacketConn
	var stream net.Listener
	for range 100 { // one port for both
		var err error
		if packets, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if stream, err = net.Listen("tcp", packets.LocalAddr().String()); err == nil {
			break
		}
		packets.Close()
	}
	if stream == nil {
		t.Fatal("no port for both UDP and TCP")
	}
	z.address = stream.Addr().String()
	for _, server := range []*mdns.Server{
		{PacketConn: packets, Handler: z}, {Listener: stream, Handler: z},
	} {
		ready := make(chan struct{})
		server.NotifyStartedFunc = func() { close(ready) }
		go server.ActivateAndServe()
		<-ready
		t.Cleanup(func() { server.Shutdown() })
	}
	return z
}

func (z *zone) add(t testing.TB, records ...string) {
	t.Helper()
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, text := range records {
		rr, err := mdns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		z.records = append(z.records, rr)
	}
}

// remove takes away what begins with one of owners.
func (z *zone) remove(owner string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records = slices.DeleteFunc(z.records, func(rr mdns.RR) bool { return rr.Header().Name == owner })
}

// instead answers every question with f; nil ends that.
func (z *zone) instead(f func(mdns.ResponseWriter, *mdns.Msg)) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.answer = f
}

// count says how often it was asked what begins with prefix.
func (z *zone) count(prefix string) (n int) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, question := range z.asked {
		if strings.HasPrefix(question, prefix) {
			n++
		}
	}
	return n
}

func (z *zone) ServeDNS(w mdns.ResponseWriter, question *mdns.Msg) {
	z.mu.Lock()
	network := w.LocalAddr().Network()
	q := question.Question[0]
	z.asked = append(z.asked, fmt.Sprintf("%s %s %s", network, mdns.TypeToString[q.Qtype], q.Name))
	answer, reply := z.answer, z.reply(question)
	z.mu.Unlock()
	if answer != nil {
		answer(w, question)
		return
	}
	if network == "udp" {
		size := mdns.MinMsgSize
		if opt := question.IsEdns0(); opt != nil {
			size = int(opt.UDPSize())
		}
		reply.Truncate(size)
	}
	if reply.Len() > mdns.MaxMsgSize {
		reply.Extra = nil
	}
	w.WriteMsg(reply)
}

// reply says what the records do. The caller holds the lock.
func (z *zone) reply(question *mdns.Msg) *mdns.Msg {
	reply := new(mdns.Msg).SetReply(question)
	reply.RecursionAvailable, reply.Authoritative = true, true
	name, kind := question.Question[0].Name, question.Question[0].Qtype
	exists := z.match(reply, name, kind)
	for _, rr := range reply.Answer {
		if s, ok := rr.(*mdns.SRV); ok {
			for _, extra := range z.records {
				if extra.Header().Name == s.Target {
					reply.Extra = append(reply.Extra, extra)
				}
			}
		}
	}
	if !exists {
		reply.Rcode = mdns.RcodeNameError
	}
	if len(reply.Answer) == 0 {
		soa, _ := mdns.NewRR("example.com. 5 IN SOA ns.example.com. admin.example.com. 1 1 1 1 5")
		reply.Ns = []mdns.RR{soa}
	}
	return reply
}

// match puts what there is of name into the answer, aliases included.
func (z *zone) match(reply *mdns.Msg, name string, kind uint16) (exists bool) {
	for _, rr := range z.records {
		if !strings.EqualFold(rr.Header().Name, name) {
			continue
		}
		exists = true
		if alias, ok := rr.(*mdns.CNAME); ok {
			reply.Answer = append(reply.Answer, rr)
			return z.match(reply, alias.Target, kind)
		}
		if rr.Header().Rrtype == kind {
			reply.Answer = append(reply.Answer, rr)
		}
	}
	return exists
}

// rcode answers with an error.
func rcode(code int) func(mdns.ResponseWriter, *mdns.Msg) {
	return func(w mdns.ResponseWriter, question *mdns.Msg) {
		w.WriteMsg(new(mdns.Msg).SetRcode(question, code))
	}
}

// header answers with an error, and without the question.
func header(code int) func(mdns.ResponseWriter, *mdns.Msg) {
	return func(w mdns.ResponseWriter, question *mdns.Msg) {
		reply := new(mdns.Msg).SetRcode(question, code)
		reply.Question = nil
		w.WriteMsg(reply)
	}
}

// lame names another server to ask.
func lame(w mdns.ResponseWriter, question *mdns.Msg) {
	reply := new(mdns.Msg).SetReply(question)
	ns, _ := mdns.NewRR("example.com. 60 IN NS ns.example.com.")
	reply.Ns = []mdns.RR{ns}
	w.WriteMsg(reply)
}

// silence answers nothing.
func silence(mdns.ResponseWriter, *mdns.Msg) {}

// open opens name at the zone, and is asked again soon.
func (z *zone) open(t testing.TB, name, keys string) *Backend {
	t.Helper()
	target := sdtest.Target(t, "dns://"+z.address+"/"+name+"?interval=100ms"+keys)
	b, err := OpenBackend(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// A directory is the service of a zone, for the conformance suite. Its instances are SRV records
// with a host each.
type directory struct {
	*zone
	t testing.TB
}

func newDirectory(t testing.TB) directory {
	return directory{newZone(t, service+" 1 IN TXT exists"), t}
}

func (d directory) Open() (sd.Backend, error) { return d.open(d.t, service, ""), nil }
func (d directory) Settle()                   { <-time.After(10 * time.Millisecond) }
func (d directory) Fail() error               { d.instead(rcode(mdns.RcodeServerFailure)); return nil }
func (d directory) Restore() error            { d.instead(nil); return nil }

// owner is the name of the host of an instance.
func owner(instance string) string {
	return fmt.Sprintf("host-%x.example.com.", instance)
}

func (d directory) Put(instance string) error {
	d.Remove(instance)
	ap, err := netip.ParseAddrPort(instance)
	if err != nil {
		return err
	}
	kind := "A"
	if ap.Addr().Is6() {
		kind = "AAAA"
	}
	d.add(d.t,
		fmt.Sprintf("%s 1 IN SRV 0 0 %d %s", service, ap.Port(), owner(instance)),
		fmt.Sprintf("%s 1 IN %s %s", owner(instance), kind, ap.Addr()))
	return nil
}

func (d directory) Remove(instance string) error {
	d.zone.remove(owner(instance))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records = slices.DeleteFunc(d.records, func(rr mdns.RR) bool {
		s, ok := rr.(*mdns.SRV)
		return ok && s.Target == owner(instance)
	})
	return nil
}

func (d directory) Instances() (all []string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, rr := range d.records {
		if s, ok := rr.(*mdns.SRV); ok {
			for _, rr := range d.records {
				if rr.Header().Name == s.Target {
					a := addressesIn([]mdns.RR{rr})
					all = append(all, netip.AddrPortFrom(a[0], s.Port).String())
				}
			}
		}
	}
	return all, nil
}
