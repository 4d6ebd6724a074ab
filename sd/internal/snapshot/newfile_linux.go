package snapshot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// createUnnamed makes a newFile beside file that has no name (open(2), O_TMPFILE), so that a
// process which is killed leaves nothing. The error matches errors.ErrUnsupported where the file
// system has no such files.
func createUnnamed(file string) (*newFile, error) {
	dir := filepath.Dir(file)
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	switch err {
	case nil:
		return &newFile{File: os.NewFile(uintptr(fd), dir)}, nil
	case unix.EOPNOTSUPP, unix.EISDIR, unix.EINVAL: // the second on kernels before 3.11
		return nil, fmt.Errorf("create in %s: %w", dir, errors.ErrUnsupported)
	}
	return nil, &os.PathError{Op: "create in", Path: dir, Err: err}
}

// link gives a file of createUnnamed a name. The error matches errors.ErrUnsupported where that is
// not possible, for example because /proc is not mounted.
func link(f *os.File, name string) error {
	fd := "/proc/self/fd/" + strconv.Itoa(int(f.Fd()))
	err := unix.Linkat(unix.AT_FDCWD, fd, unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW)
	switch err {
	case nil:
		return nil
	case unix.EEXIST, unix.ENOSPC, unix.EDQUOT:
		return &os.PathError{Op: "link", Path: name, Err: err}
	}
	return fmt.Errorf("link %s: %w: %w", name, errors.ErrUnsupported, err)
}
