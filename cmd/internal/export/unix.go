//go:build unix

package export

import (
	"io/fs"
	"os"
	"os/exec"
	"syscall"
)

// endGroup has the end of cmd's context kill all that cmd has started, and not its shell alone.
func endGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// keepOwner gives f the owner and the group of the file that it replaces, or the group alone, as
// far as this process may do that.
func keepOwner(f *os.File, old fs.FileInfo) {
	s, ok := old.Sys().(*syscall.Stat_t)
	if ok && f.Chown(int(s.Uid), int(s.Gid)) != nil {
		f.Chown(-1, int(s.Gid))
	}
}
