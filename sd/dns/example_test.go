package dns_test

import (
	"context"
	"fmt"
	"net"

	"example.com/daytime/sd"
	"example.com/daytime/sd/dns"
	mdns "github.com/miekg/dns"
)

// answer is a server that knows one service on two hosts.
func answer(w mdns.ResponseWriter, question *mdns.Msg) {
	reply := new(mdns.Msg).SetReply(question)
	for _, text := range []string{
		"_daytime._tcp.example.com. 60 IN SRV 10 5 8897 a.example.com.",
		"_daytime._tcp.example.com. 60 IN SRV 10 5 8898 a.example.com.",
		"a.example.com. 60 IN A 192.0.2.1",
	} {
		rr, err := mdns.NewRR(text)
		if err != nil {
			fmt.Println(err)
			return
		}
		q := question.Question[0]
		if rr.Header().Name == q.Name && rr.Header().Rrtype == q.Qtype {
			reply.Answer = append(reply.Answer, rr)
		}
	}
	w.WriteMsg(reply)
}

func Example() {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ready := make(chan struct{})
	server := &mdns.Server{
		PacketConn:        conn,
		Handler:           mdns.HandlerFunc(answer),
		NotifyStartedFunc: func() { close(ready) },
	}
	go server.ActivateAndServe()
	<-ready
	defer server.Shutdown()

	schemes := sd.Schemes{"dns": dns.Open}
	backend, err := schemes.Open("dns://" + conn.LocalAddr().String() + "/_daytime._tcp.example.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer backend.Close()
	ctx, cancel := context.WithCancel(context.Background())
	err = backend.Watch(ctx, sd.Want{}, func(c sd.Change) {
		fmt.Println(c.Up)
		cancel()
	})
	fmt.Println(err)
	// Output:
	// [192.0.2.1:8897 192.0.2.1:8898]
	// context canceled
}
