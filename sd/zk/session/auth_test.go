package session

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestReadSecret(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want string // "" is an error
	}{
		"one line":          {"user:password\n", "user:password"},
		"no line end":       {"user:password", "user:password"},
		"of another system": {"user:password\r\n", "user:password"},
		"with colon":        {"user:pass:word", "user:pass:word"},
		"with blanks":       {"user: pass word ", "user: pass word "},
		"longest":           {"u:" + strings.Repeat("x", maxSecret-2), "u:" + strings.Repeat("x", maxSecret-2)},
		"too long":          {"u:" + strings.Repeat("x", maxSecret-1), ""},
		"empty":             {"", ""},
		"no password":       {"user:\n", ""},
		"no user":           {":password\n", ""},
		"no colon":          {"password\n", ""},
		"two lines":         {"user:password\nuser:password\n", ""},
		"empty line first":  {"\nuser:password\n", ""},
		"empty line last":   {"user:password\n\n", ""},
		"zero byte":         {"user:pass\x00word", ""},
		"byte order mark":   {"\xef\xbb\xbfuser:password\n", ""},
		"UTF-16":            {"\xff\xfeu\x00:\x00p\x00", ""},
		"UTF-16, big":       {"\xfe\xff\x00u\x00:\x00p", ""},
		"mark inside":       {"user:\xef\xbb\xbfpassword\n", "user:\xef\xbb\xbfpassword"},
	} {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		have, err := readSecret(file)
		if string(have) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: want %q, have %q, error %v", name, c.want, have, err)
		}
		if err != nil && (!strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "pass\x00") || strings.Contains(err.Error(), "xx")) {
			t.Errorf("%s: want an error that names the file and not the secret, have %v", name, err)
		}
	}
}

func TestSecretFileIsPrivate(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(
		os.WriteFile(path("good"), []byte("user:password"), 0o600),
		os.Symlink(path("good"), path("link")),
		os.Mkdir(path("directory"), 0o700),
		syscall.Mkfifo(path("pipe"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"link":      "",
		"directory": "regular file",
		"pipe":      "regular file",
		"missing":   "no such file",
	} {
		_, err := readSecret(path(name))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path(name))) {
			t.Errorf("%s: want %q, have %v", name, want, err)
		}
	}
	for mode, good := range map[os.FileMode]bool{
		0o600: true, 0o400: true, 0o440: true, 0o640: true, 0o040: true, 0o500: true, 0o550: true, 0o700: true, 0o410: true,
		0o660: false, 0o604: false, 0o404: false, 0o444: false, 0o620: false, 0o602: false, 0o460: false, 0o644: false, 0o666: false,
	} {
		if err := os.Chmod(path("good"), mode); err != nil {
			t.Fatal(err)
		}
		_, err := readSecret(path("good"))
		if (err == nil) != good {
			t.Errorf("mode %04o: want good %t, have %v", mode, good, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "mode 0640 or stricter") || !strings.Contains(err.Error(), mode.String())) {
			t.Errorf("mode %04o: want an error that says it and what is allowed, have %v", mode, err)
		}
	}
}

// A file of another user is refused even if it may be read. Only root can try.
func TestSecretFileIsOurs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: cannot give a file away")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := errors.Join(os.WriteFile(file, []byte("user:password"), 0o600), os.Chown(file, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	if _, err := readSecret(file); err == nil || !strings.Contains(err.Error(), "this user's") {
		t.Errorf("want an error about the owner, have %v", err)
	}
}

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
		have, err := io.ReadAll(&authConn{Conn: conn, secret: []byte("user:password")})
		if !bytes.Equal(c.want, have) || (err == nil) != (c.err == "") || !strings.Contains(fmt.Sprint(err), c.err) {
			t.Errorf("%s: want %q and %q, have %q and %v", name, c.want, c.err, have, err)
		}
		if sent := bytes.Contains(conn.out.Bytes(), []byte("digest\x00\x00\x00\x0duser:password")); sent != c.sent {
			t.Errorf("%s: credentials sent: want %t, have %t", name, c.sent, sent)
		}
		if refused := strings.Contains(c.err, "EOF"); err != nil && isRefusal(err) != refused {
			t.Errorf("%s: refusal: want %t, have %t", name, refused, isRefusal(err))
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
	conn := &authConn{Conn: &scriptedServer{in: bytes.NewReader(append(bytes.Clone(grantedReply), answered(authAnswer, 0, 0, 0)...))}, secret: []byte("user:password")}
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
		have, err := io.ReadAll(&authConn{Conn: conn, secret: []byte("user:password")})
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
