package main

import (
	"fmt"
	"net"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"example.com/daytime/cmd/internal/shell"
)

// notifyTimeout bounds how long a message to systemd may take.
const notifyTimeout = time.Second

// inherit takes over the sockets that systemd has handed to the process (sd_listen_fds(3)), which stand
// instead of --listen. systemd keeps them too: connections that come while no process is there wait in
// the kernel's queue for the next one, so that a restart refuses nobody.
func (c *config) inherit(listenGiven bool) error {
	listeners, err := activation.Listeners()
	if err != nil || len(listeners) == 0 {
		return err
	}
	if listenGiven {
		closeAll(listeners)
		err := fmt.Errorf("%q: systemd has handed over %s; leave --listen out", c.listen,
			shell.Count(len(listeners), "socket"))
		return shell.UsageError("listen", err)
	}
	c.listen = nil
	for i, l := range listeners {
		if tcp, ok := l.(*net.TCPListener); !ok || !listens(tcp) {
			closeAll(listeners)
			return shell.UsageError("", fmt.Errorf("socket %d of systemd: want one that listens for TCP", i+1))
		}
		c.inherited = append(c.inherited, sharedListener{l})
		c.listen = append(c.listen, l.Addr().String())
	}
	return nil
}

// A sharedListener is a listener of whose socket another process has a copy. It hides SetDeadline and
// SyscallConn of a *net.TCPListener, without which a transport.Server neither empties the queue at its
// shutdown nor has the kernel drop what comes: both are the next process's.
type sharedListener struct{ net.Listener }

// notify tells systemd a state of the service (sd_notify(3)), if that wants to know. It waits for
// notifyTimeout at most.
func notify(state string, logger kitlog.Logger) {
	told := make(chan struct{})
	go func() {
		defer close(told)
		if _, err := daemon.SdNotify(false, state); err != nil {
			level.Warn(logger).Log("msg", "systemd was not told", "state", state, "err", err)
		}
	}()
	timer := time.NewTimer(notifyTimeout)
	defer timer.Stop()
	select {
	case <-told:
	case <-timer.C:
	}
}
