//go:build unix && !linux

package zktest

import "syscall"

// dieWithParent asks for nothing: only Linux knows a parent-death signal that a child without our
// code can be given.
func dieWithParent() *syscall.SysProcAttr { return nil }
