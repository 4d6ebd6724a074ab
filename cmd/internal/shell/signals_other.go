//go:build !unix

package shell

import "os"

// NotifySummary returns a channel that never receives: there is no signal for it.
func NotifySummary() (requests <-chan os.Signal, stop func()) { return nil, func() {} }
