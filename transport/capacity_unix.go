//go:build unix

package transport

import (
	"math"
	"syscall"
)

// maxFiles is how many descriptors this process may have.
func maxFiles() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return math.MaxInt32
	}
	return int(min(uint64(limit.Cur), math.MaxInt32)) // RLIM_INFINITY is the largest number
}
