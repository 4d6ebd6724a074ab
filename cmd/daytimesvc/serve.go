package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"example.com/daytime/cmd/internal/admin"
	"example.com/daytime/cmd/internal/registry"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/telemetry"
	"example.com/daytime/endpoint"
	"example.com/daytime/sd"
	"example.com/daytime/service"
	"example.com/daytime/transport"
)

// finishTimeout bounds how long the shutdown waits for connections that were begun. With the
// withdrawal (2 s), the default drain and the end of the session (1 s) that stays below the 10 s
// after which Docker kills.
const finishTimeout = 5 * time.Second

// serve is the life of the program: it opens everything, waits for the end of ctx, and closes in
// the one order that loses no request (live). What may be a wrong command is found before a port is
// taken, as far as it can be, and nothing is registered before every listener is bound.
func serve(ctx context.Context, c config, stdio *shell.Stdio) error {
	logger, exporter := stdio.Logger(), telemetry.New("daytimesvc")
	listeners := c.inherited
	defer func() { closeAll(listeners) }()
	options, err := c.serverOptions(len(c.listen), exporter, logger)
	if err != nil {
		return err
	}
	instances, known := c.plannedInstances()
	if known {
		err = c.checkLoopback(ctx, instances, logger)
	}
	if err == nil && len(listeners) == 0 {
		listeners, err = listen(ctx, c.listen)
	}
	if err == nil && !known {
		instances = c.instances(listeners)
		err = c.checkLoopback(ctx, instances, logger)
	}
	if ctx.Err() != nil { // while a name was looked up: there is nothing to undo
		return nil
	}
	if err != nil {
		return err
	}
	operator, err := c.startAdmin(ctx, exporter.Handler(), logger)
	if err != nil {
		return err
	}
	defer operator.Close()
	dev, err := startDev(c, logger)
	if err != nil {
		return err
	}
	defer dev.Close()
	registries, err := registry.Open(c.sd, schemes(exporter))
	if err != nil {
		return err
	}
	defer registries.Close()
	if len(registries) > 1 {
		stdio.NameRegistries()
	}
	servers, err := newServers(c, listeners, instances, registries, stdio, options, exporter)
	if err != nil {
		return err
	}
	defer operator.Show(c.view(servers))()
	return c.live(ctx, servers, operator, logger)
}

// live serves, registers, and ends with ctx or the first server that breaks: it withdraws the
// registrations, and shuts the servers down.
func (c *config) live(ctx context.Context, servers []*server, operator *admin.Server,
	logger kitlog.Logger) (err error) {
	var serving sync.WaitGroup
	defer serving.Wait()
	broken := make(chan error, len(servers)) // holds an error of each server
	for _, s := range servers {
		serving.Go(func() { s.serve(broken) })
	}
	operator.SetServing()
	if c.registers() {
		inParallel(registrations(servers), func(r registration) { r.Register() })
	} else {
		level.Info(logger).Log("msg", "registered nowhere: a fixed list takes no registration")
	}
	notify(daemon.SdNotifyReady, logger)
	select {
	case <-ctx.Done():
	case err = <-broken:
	}
	operator.SetWithdrawing()
	notify(daemon.SdNotifyStopping, logger)
	reason := cmp.Or(err, context.Cause(ctx))
	level.Info(logger).Log("msg", "shutting down", "reason", reason, "drain", c.drain)
	inParallel(registrations(servers), func(r registration) { r.Deregister() })
	shutdown(servers, c.drain, logger)
	return err
}

// shutdown goes on serving while clients learn of the withdrawal, and finishes what was begun.
func shutdown(servers []*server, drain time.Duration, logger kitlog.Logger) {
	time.Sleep(drain)
	ctx, cancel := context.WithTimeout(context.Background(), finishTimeout)
	defer cancel()
	inParallel(servers, func(s *server) {
		if err := s.transport.Shutdown(ctx); err != nil {
			level.Warn(s.logger).Log("msg", "connections cut off", "err", err)
		}
	})
	level.Info(logger).Log("msg", "stopped")
}

// A server is one listen address, and the registrations that belong to it: one in each registry.
type server struct {
	instance      string
	listener      net.Listener
	transport     *transport.Server
	registrations []registration
	logger        kitlog.Logger
}

// A registration is that of one server in one registry. It knows nothing of the others, and waits
// for none.
type registration struct {
	*sd.Registrar
	registry string // its URL
}

// registrations are those of all servers.
func registrations(servers []*server) (all []registration) {
	for _, s := range servers {
		all = append(all, s.registrations...)
	}
	return all
}

// plannedInstances is what instances will return, if that is known before there is a listener: if
// no name is to be looked up, and no port to be chosen.
func (c *config) plannedInstances() (instances []string, known bool) {
	if len(c.advertise) > 0 {
		return c.advertise, true
	}
	for _, addr := range c.listen {
		ap, err := netip.ParseAddrPort(addr)
		if err != nil || ap.Port() == 0 {
			return nil, false
		}
		instances = append(instances, netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()).String())
	}
	return instances, true
}

// instances returns the name under which each listener is registered.
func (c *config) instances(listeners []net.Listener) []string {
	if len(c.advertise) > 0 {
		return c.advertise
	}
	var instances []string
	for _, l := range listeners {
		instances = append(instances, l.Addr().String())
	}
	return instances
}

// newServers wires each listener to a service of its own, which answers with the name that it is
// registered under.
func newServers(c config, listeners []net.Listener, instances []string,
	registries registry.Registries, stdio *shell.Stdio, serving []transport.ServerOption,
	exporter *telemetry.Exporter,
) (servers []*server, err error) {
	layout, err := service.ParseFormat(c.format)
	if err != nil {
		return nil, err
	}
	options := []service.Option{service.Format(layout)}
	if c.anonymous {
		options = append(options, service.Anonymous())
	}
	for i, l := range listeners {
		s := &server{instance: instances[i], listener: l,
			logger: kitlog.With(stdio.Logger(), "instance", instances[i])}
		svc := service.New(instances[i], options...)
		if stdio.Level() == "debug" {
			svc = service.Logging(level.Debug(s.logger))(svc)
		}
		s.transport = transport.NewDaytimeServer(endpoint.New(svc), s.logger,
			append(serving, transport.ServerErrorHandler(s))...)
		s.registrations, err = c.newRegistrations(instances[i], registries, stdio.Logger(), exporter)
		if err != nil {
			return nil, shell.UsageError("listen", fmt.Errorf("%q: %w", c.listen[i], err))
		}
		servers = append(servers, s)
	}
	return servers, nil
}

// newRegistrations returns the registrations of an instance. The lines of each name its registry,
// if there are several.
func (c *config) newRegistrations(instance string, registries registry.Registries,
	logger kitlog.Logger, exporter *telemetry.Exporter) (all []registration, err error) {
	for _, r := range registries {
		own := logger
		if len(registries) > 1 {
			own = kitlog.With(logger, "sd", r.URL)
		}
		registrar, err := sd.NewRegistrar(r.Backend, instance, own,
			sd.Attributes(c.attributes.Attributes), exporter.Registrar())
		if err != nil {
			return nil, err
		}
		all = append(all, registration{registrar, r.URL})
	}
	return all, nil
}

// serverOptions are those that so many servers have in common.
func (c *config) serverOptions(
	servers int, exporter *telemetry.Exporter, logger kitlog.Logger,
) ([]transport.ServerOption, error) {
	options := []transport.ServerOption{transport.MaxConns(c.maxConns.of(servers)),
		transport.MaxConnsPerIP(c.maxConnsPerIP), exporter.Server()}
	if c.tls.Cert == "" {
		return slices.Clip(options), nil
	}
	source, err := c.readTLS()
	if err != nil {
		return nil, err
	}
	if _, err := source(); err != nil {
		level.Warn(logger).Log("msg", "certificate", "err", err)
	}
	return slices.Clip(append(options, transport.ServerTLS(source))), nil
}

// Handle logs an error of the transport, as its error handler. Too many connections are no failure
// of this program, and with a certificate that could not be replaced it goes on.
func (s *server) Handle(_ context.Context, err error) {
	switch {
	case errors.Is(err, transport.ErrMaxConns), errors.Is(err, transport.ErrMaxConnsPerIP):
		level.Warn(s.logger).Log("msg", "turned away", "err", err)
	case errors.Is(err, transport.ErrTLSFiles):
		level.Warn(s.logger).Log("msg", "certificate", "err", err)
	default:
		level.Error(s.logger).Log("msg", "serving", "err", err)
	}
}

// serve accepts connections until the shutdown. An error that ends it earlier goes to broken.
func (s *server) serve(broken chan<- error) {
	level.Info(s.logger).Log("msg", "serving", "listen", s.listener.Addr())
	if err := s.transport.Serve(s.listener); !errors.Is(err, transport.ErrServerClosed) {
		broken <- err
	}
}

// inParallel returns when f has returned for each of many.
func inParallel[T any](many []T, f func(T)) {
	var all sync.WaitGroup
	for _, one := range many {
		all.Go(func() { f(one) })
	}
	all.Wait()
}
