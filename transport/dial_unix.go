//go:build unix

package transport

import "syscall"

// reuseAddr sets SO_REUSEADDR, by which a listener can bind the port of a connection in TIME-WAIT.
// Without the option a dial works all the same, so that its failure is none.
func reuseAddr(_, _ string, conn syscall.RawConn) error {
	return conn.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	})
}
