//go:build !unix

package transport

import "syscall"

// reuseAddr sets nothing: on Windows SO_REUSEADDR would let another program take the port over.
func reuseAddr(_, _ string, _ syscall.RawConn) error { return nil }
