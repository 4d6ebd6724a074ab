package file

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// nonblock keeps an open from waiting for the other end of a pipe.
const nonblock = syscall.O_NONBLOCK

// lease takes a read lease of f, or says that somebody has f open for writing (errWritten), or that
// there is none to be had. Until release, which takes a read's time, an open for writing waits (see
// fcntl(2)). The signal by which the kernel asks for the lease back, SIGIO, is ignored by Go.
func lease(f *os.File) (release func(), err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	set := func(kind int) (err error) {
		outer := conn.Control(func(fd uintptr) {
			_, err = unix.FcntlInt(fd, unix.F_SETLEASE, kind)
		})
		return errors.Join(outer, err)
	}
	err = set(unix.F_RDLCK)
	switch {
	case err == nil:
		return func() { _ = set(unix.F_UNLCK) }, nil
	case errors.Is(err, unix.EAGAIN) && grantsLeases(f):
		return nil, errWritten
	}
	return nil, fmt.Errorf("lease: %w", err)
}

// grantsLeases reports whether the file system of f is one whose refusal means that there is a
// writer. Network file systems refuse unless the server has delegated the file.
func grantsLeases(f *os.File) bool {
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	var s unix.Statfs_t
	outer := conn.Control(func(fd uintptr) { err = unix.Fstatfs(int(fd), &s) })
	if outer != nil || err != nil {
		return false
	}
	switch uint32(s.Type) {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC,
		unix.FUSE_SUPER_MAGIC, unix.V9FS_MAGIC, unix.CEPH_SUPER_MAGIC, unix.AFS_SUPER_MAGIC:
		return false
	}
	return true
}
