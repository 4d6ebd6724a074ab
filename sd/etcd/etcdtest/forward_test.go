package etcdtest

import (
	"bufio"
	"net"
	"strings"
	"testing"
)

// The sender of a request of Raft is who says so, whatever else is in its head.
func TestSender(t *testing.T) {
	c := &Cluster{}
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c.members = append(c.members, &Member{peer: &forwarder{listener: l}})
	}
	second := c.members[1]
	const stream = "GET /raft/stream/message/1 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	for head, want := range map[string]*Member{
		stream + "X-Peerurls: http://" + second.peer.addr() + "\r\n\r\n":                    second,
		stream + "x-peerurls: http://192.0.2.1:1,http://" + second.peer.addr() + "\r\n\r\n": second,
		stream + "X-PeerURLs: http://192.0.2.1:1\r\n\r\n":                                   nil,
		"GET /version HTTP/1.1\r\nReferer: http://" + second.peer.addr() + "\r\n\r\n":       nil,
	} {
		read, err := readHead(bufio.NewReader(strings.NewReader(head + "body")))
		if err != nil || read != head {
			t.Errorf("%q: want it read to the empty line, have %q, %v", head, read, err)
		}
		if have := c.sender(read); have != want {
			t.Errorf("%q: want %p, have %p", head, want, have)
		}
	}
	endless := strings.Repeat("X: y\r\n", maxHead)
	if _, err := readHead(bufio.NewReader(strings.NewReader(endless))); err == nil {
		t.Error("want a head without an end refused")
	}
}
