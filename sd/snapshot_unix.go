//go:build unix

package sd

import (
	"io/fs"
	"os"
	"syscall"
)

// openPlain opens file for reading. It follows no link, and does not wait for
// the other end of a pipe.
func openPlain(file string) (*os.File, error) {
	return os.OpenFile(file, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
}

// ownerOf returns whose file it is, and whether that is the user that this program runs as.
func ownerOf(info fs.FileInfo) (owner int, ours bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), int(stat.Uid) == os.Geteuid()
}
