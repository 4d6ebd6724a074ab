package zktest

import "syscall"

// dieWithParent has the kernel kill the child when the thread that started it ends; process keeps
// that thread.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
