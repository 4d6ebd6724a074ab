package transport

const (
	// maxDefaultConns is the default of MaxConns where descriptors do not matter.
	maxDefaultConns = 10000

	// maxRefusals is how many connections above a limit are drained at the same time.
	maxRefusals = 1024

	// reservedFiles is how many descriptors are left to the rest of the process: standard streams,
	// listeners, the poller, sessions with a registry, files.
	reservedFiles = 32
)

// DefaultMaxConns returns the default of [MaxConns] for each of so many servers in one process:
// 10000, or an equal share of the file descriptors that the process may have, less those that
// refusals and the rest of the process need. A connection above MaxConns is refused at once; one
// that finds no descriptor waits in the kernel's queue instead, which its client cannot tell from a
// server that hangs. The limit of descriptors is the soft RLIMIT_NOFILE, which package os raises to
// the hard one when a program starts (https://go.dev/doc/go1.19#os).
func DefaultMaxConns(servers int) int {
	conns, _ := capacity(maxFiles(), servers)
	return conns
}

// capacity shares so many descriptors out: how many connections each server serves, and how many it
// refuses at the same time. Both are at least one.
func capacity(files, servers int) (conns, refusals int) {
	share := (files - reservedFiles) / max(servers, 1)
	refusals = min(max(share/8, 1), maxRefusals)
	conns = min(max(share-refusals, 1), maxDefaultConns)
	return conns, refusals
}
