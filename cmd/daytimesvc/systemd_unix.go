//go:build unix

package main

import (
	"net"

	"golang.org/x/sys/unix"
)

// listens reports whether a socket that was handed over listens, and is not a connection, which it is
// with Accept=yes.
func listens(l *net.TCPListener) (is bool) {
	raw, err := l.SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Control(func(fd uintptr) {
		n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		is = err == nil && n != 0
	})
	return err == nil && is
}
