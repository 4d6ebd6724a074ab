package etcdtest

import (
	"net"
	"syscall"
	"testing"
)

// Two connections from one port, to different addresses, are told apart, and each by both of its
// ends.
func TestInodeOf(t *testing.T) {
	first, second := listen(t), listen(t)
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
		})
		return err
	}}
	var inodes []string
	for _, addr := range []string{first, second} {
		conn, err := dialer.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		dialer.LocalAddr = conn.LocalAddr()
		inode := inodeOf(conn.LocalAddr().String(), addr)
		if inode == "" || inode == "0" || inode == inodeOf(addr, conn.LocalAddr().String()) {
			t.Errorf("%v to %s: want an inode of its own, have %q", conn.LocalAddr(), addr, inode)
		}
		inodes = append(inodes, inode)
	}
	if inodes[0] == inodes[1] {
		t.Errorf("want two inodes, have %q", inodes)
	}
	if inode := inodeOf(dialer.LocalAddr.String(), "127.0.0.1:1"); inode != "" {
		t.Errorf("want none for an address that nobody is connected to, have %q", inode)
	}
}

func listen(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}
