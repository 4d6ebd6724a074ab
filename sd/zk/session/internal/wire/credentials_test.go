package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// answered encodes a reply, the first of a connection if there is a session.
func answered(words ...uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(4*len(words)))
	for _, w := range words {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b
}

const authAnswer, authFailed = 1<<32 - 4, 1<<32 - 115

var (
	grantedReply = answered(0, 10000, 0, 42, 4, 0, 0)
	expiredReply = answered(0, 0, 0, 0, 4, 0, 0)
)

func TestAuthConn(t *testing.T) {
	for name, c := range map[string]struct {
		server []byte
		want   []byte // what go-zookeeper gets to see
		err    string // in the error
		sent   bool   // the credentials
	}{
		"accepted":         {append(bytes.Clone(grantedReply), append(answered(authAnswer, 0, 0, 0), "more"...)...), append(bytes.Clone(grantedReply), "more"...), "", true},
		"session expired":  {append(bytes.Clone(expiredReply), "more"...), append(bytes.Clone(expiredReply), "more"...), "", false},
		"refused":          {append(bytes.Clone(grantedReply), answered(authAnswer, 0, 0, authFailed)...), nil, "denied", true},
		"other reply":      {append(bytes.Clone(grantedReply), answered(1, 0, 0, 0)...), nil, "authentication failed (xid 1, code 0)", true},
		"no answer":        {grantedReply, nil, "no answer", true},
		"half an answer":   {append(bytes.Clone(grantedReply), answered(authAnswer, 0, 0, 0)[:10]...), nil, "no answer", true},
		"no reply":         {nil, nil, "", false}, // EOF, which is no error to ReadAll
		"half a reply":     {grantedReply[:20], nil, "unexpected EOF", false},
		"reply too short":  {answered(0, 0), nil, "frame of 8 bytes", false},
		"reply too long":   {answered(make([]uint32, 65)...), nil, "frame of 260 bytes", false},
		"answer too short": {append(bytes.Clone(grantedReply), answered(authAnswer)...), nil, "frame of 4 bytes", true},
	} {
		conn := &scriptedServer{in: bytes.NewReader(c.server)}
		have, err := io.ReadAll(Authenticate(conn, []byte("user:password")))
		if !bytes.Equal(c.want, have) || (err == nil) != (c.err == "") || !strings.Contains(fmt.Sprint(err), c.err) {
			t.Errorf("%s: want %q and %q, have %q and %v", name, c.want, c.err, have, err)
		}
		if sent := bytes.Contains(conn.out.Bytes(), []byte("digest\x00\x00\x00\x0duser:password")); sent != c.sent {
			t.Errorf("%s: credentials sent: want %t, have %t", name, c.sent, sent)
		}
		if refused := strings.Contains(c.err, "EOF"); err != nil && IsRefusal(err) != refused {
			t.Errorf("%s: refusal: want %t, have %t", name, refused, IsRefusal(err))
		}
	}
}

// A scriptedServer connection says what is in it, and takes what is sent.
type scriptedServer struct {
	net.Conn
	in  *bytes.Reader
	out bytes.Buffer
}

func (s *scriptedServer) Read(b []byte) (int, error)       { return s.in.Read(b) }
func (s *scriptedServer) Write(b []byte) (int, error)      { return s.out.Write(b) }
func (s *scriptedServer) SetWriteDeadline(time.Time) error { return nil }

// The credentials are not kept once they are sent.
func TestAuthConnForgets(t *testing.T) {
	conn := Authenticate(&scriptedServer{in: bytes.NewReader(append(bytes.Clone(grantedReply), answered(authAnswer, 0, 0, 0)...))}, []byte("user:password")).(*authConn)
	if _, err := conn.Read(make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	if conn.secret != nil {
		t.Error("want no secret after the handshake, have one")
	}
}

// Whatever a server says in the handshake, go-zookeeper sees all of it but the answer to the
// credentials, or nothing.
func FuzzAuthConn(f *testing.F) {
	f.Add(append(bytes.Clone(grantedReply), answered(authAnswer, 0, 0, 0)...))
	f.Add(append(bytes.Clone(grantedReply), answered(authAnswer, 0, 0, authFailed)...))
	f.Add(expiredReply)
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, server []byte) {
		conn := &scriptedServer{in: bytes.NewReader(server)}
		have, err := io.ReadAll(Authenticate(conn, []byte("user:password")))
		if err != nil && len(have) > 0 {
			t.Errorf("want nothing before %v, have %q", err, have)
		}
		sent := conn.out.Len() > 0
		if !sent && len(have) > 0 && !bytes.Equal(server, have) {
			t.Errorf("no credentials sent: want %q, have %q", server, have)
		}
		if sent && len(have) > 0 {
			rest := server[4+binary.BigEndian.Uint32(server):]
			after := rest[4+binary.BigEndian.Uint32(rest):]
			want := append(bytes.Clone(server[:len(server)-len(rest)]), after...)
			if !bytes.Equal(want, have) {
				t.Errorf("want all but the answer, %q, have %q", want, have)
			}
		}
	})
}
