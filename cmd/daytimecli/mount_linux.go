package main

import "golang.org/x/sys/unix"

// isMountPoint reports whether file is one itself, as docker run -v FILE:FILE makes it: rename(2)
// over it fails with EBUSY. Linux before 5.8 does not tell.
func isMountPoint(file string) bool {
	var stat unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, file, unix.AT_SYMLINK_NOFOLLOW, 0, &stat)
	return err == nil && stat.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}
