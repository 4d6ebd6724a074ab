package main

import (
	"context"
	"fmt"
	"net/http"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/cmd/internal/admin"
	"example.com/daytime/sd"
)

// startAdmin answers an operator at --admin, if that is given. It is the first to begin and the
// last to end, so that somebody who asks is always told where the program stands.
func (c *config) startAdmin(
	ctx context.Context, metrics http.Handler, logger kitlog.Logger,
) (*admin.Server, error) {
	if c.admin == "" {
		return nil, nil
	}
	s, err := admin.Start(ctx, c.admin, admin.Config{Program: "daytimesvc", Version: c.version,
		Metrics: metrics, Logger: logger})
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("--admin %s: %w", c.admin, err)
	}
	return s, nil
}

// view is what the operator is shown: the servers, and the fleet that they belong to.
func (c *config) view(servers []*server) admin.View {
	v := admin.View{Listeners: func() (listeners []admin.Listener) {
		for _, s := range servers {
			listeners = append(listeners, c.listener(s))
		}
		return listeners
	}}
	if !c.registers() {
		return v
	}
	for _, url := range c.sd {
		v.Directories = append(v.Directories, admin.Directory{Registry: url,
			Follow: func() (*sd.Instancer, func()) { return follow(url) }})
	}
	return v
}

// follow follows a registry over a session of its own, with which all that is watched ends. The
// page says what the log and the metrics of a client would.
func follow(target string) (_ *sd.Instancer, stop func()) {
	backend, err := schemes(nil)("").Open(target)
	if err != nil { // a file that it names has gone since the start
		return nil, func() {}
	}
	i := sd.NewInstancer(backend, kitlog.NewNopLogger(), sd.FollowPolicy())
	return i, func() {
		i.Stop()
		backend.Close()
	}
}

// listener is where a server stands.
func (c *config) listener(s *server) admin.Listener {
	l := admin.Listener{Instance: s.instance, Addr: s.listener.Addr().String()}
	l.Open, l.Served = s.transport.Connections()
	if !c.registers() {
		return l
	}
	for _, r := range s.registrations {
		l.Registrations = append(l.Registrations,
			admin.Registration{Registry: r.registry, State: r.State()})
	}
	return l
}
