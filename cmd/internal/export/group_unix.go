//go:build unix

package export

import (
	"os/exec"
	"syscall"
)

// endGroup has the end of cmd's context kill all that cmd has started, and not its shell alone.
func endGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
