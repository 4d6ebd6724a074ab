package file

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// asNobody runs f with the file access of nobody, if the tests run as root.
func asNobody(f func()) {
	const nobody = 65534
	if os.Geteuid() == 0 {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
		defer syscall.RawSyscall(syscall.SYS_SETFSUID, 0, 0, 0)
	}
	f()
}

// Where the system has no watch to give for one directory, the file is read every second as well.
func TestWithoutWatch(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "servers")
	must(t, write(path, alice), os.Chmod(path, 0o644), os.Chmod(filepath.Dir(dir), 0o755),
		os.Chmod(dir, 0o311)) // it can be entered, and not listed or watched
	defer os.Chmod(dir, 0o755)
	r := newReader(path, noLease)
	defer r.close()
	seesWithoutEvents(t, r, asNobody)
}
