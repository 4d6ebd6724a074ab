//go:build unix

package snapshot

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// openPlain opens file for reading. It follows no link, and does not wait for the other end of a
// pipe.
func openPlain(file string) (*os.File, error) {
	return os.OpenFile(file, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
}

// ownersOf returns the user and the group that own a file, if they are known.
func ownersOf(info fs.FileInfo) (user, group int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(stat.Uid), int(stat.Gid), true
}

func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }

// isBusy reports whether a file could not be replaced because it is a mount point.
func isBusy(err error) bool { return errors.Is(err, syscall.EBUSY) }
