//go:build unix

package shell

import (
	"os"

	"golang.org/x/sys/unix"
)

// readerGone reports whether the other end of a pipe or a socket was closed. Poll tells that by
// POLLERR, which needs not be asked for (poll(2)); a socket also has POLLHUP.
func readerGone(f *os.File) bool {
	fds := []unix.PollFd{{Fd: int32(f.Fd())}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
}
