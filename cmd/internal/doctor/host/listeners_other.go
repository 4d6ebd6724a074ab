//go:build !linux

package host

// Listening are known on Linux alone.
func Listening() Listeners { return nil }

// IsProcess reports whether pid is the process that calls itself by a number.
func IsProcess(pid, said int) bool { return pid == said }

// InContainer is known on Linux alone.
func InContainer(int) bool { return false }
