package record

import (
	"os"
	"strings"
	"time"
)

// An Owner is the process that an entry belongs to.
type Owner struct {
	Boot    string // boot id of its host: another boot or machine is another host; "": unknown
	Process int
	Start   time.Time // of the process, or of its backend; nothing but a count is decided by it
}

// Self describes this process. It reads the boot id, which is known on Linux.
func Self() Owner {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		boot = nil // a predecessor cannot be told from a stranger, and is waited for
	}
	return Owner{strings.TrimSpace(string(boot)), os.Getpid(), time.Now()}
}

// Precedes reports whether r was written for instance on the host of o. That host has given the
// address to the process of o, so the process that wrote r is gone, or does not have it any more.
func (r Record) Precedes(o Owner, instance string) bool {
	return r.Owner.Boot != "" && r.Owner.Boot == o.Boot && r.Instance == instance
}
