//go:build unix && !linux

package etcdtest

import "syscall"

const (
	sigStop = syscall.SIGSTOP
	sigCont = syscall.SIGCONT
)

// dieWithParent does nothing here: only an orderly end of the test ends the members.
func dieWithParent() *syscall.SysProcAttr { return nil }
