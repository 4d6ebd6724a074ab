package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
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
	"example.com/daytime/sd/zk/zkdev"
	"example.com/daytime/service"
	"example.com/daytime/transport"
)

// finishTimeout bounds how long the shutdown waits for connections that were begun. With the
// withdrawal (2 s), the default drain and the end of the session (1 s) that stays below the 10 s
// after which Docker kills.
const finishTimeout = 5 * time.Second

// serve is the life of the program: it opens everything, waits for the end of ctx, and closes in
// the one order that loses no request (live). Nothing is registered before every listener is bound.
func serve(ctx context.Context, c config, stdio *shell.Stdio) error {
	logger := stdio.Logger()
	listeners, err := c.inherited, error(nil)
	if len(listeners) == 0 {
		listeners, err = listen(ctx, c.listen)
	}
	defer func() { closeAll(listeners) }()
	if ctx.Err() != nil { // while a name was looked up: there is nothing to undo
		return nil
	}
	if err != nil {
		return err
	}
	exporter := telemetry.New("daytimesvc")
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
	instances := c.instances(listeners)
	if err := c.checkLoopback(ctx, instances, logger); err != nil {
		return err
	}
	servers, err := newServers(c, listeners, instances, registries, stdio, exporter)
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
	registries registry.Registries, stdio *shell.Stdio, exporter *telemetry.Exporter,
) (servers []*server, err error) {
	layout, err := service.ParseFormat(c.format)
	if err != nil {
		return nil, err
	}
	options := []service.Option{service.Format(layout)}
	if c.anonymous {
		options = append(options, service.Anonymous())
	}
	serving, err := c.serverOptions(len(listeners), exporter)
	if err != nil {
		return nil, err
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
	servers int, exporter *telemetry.Exporter,
) ([]transport.ServerOption, error) {
	options := []transport.ServerOption{transport.MaxConns(c.maxConns.of(servers)),
		transport.MaxConnsPerIP(c.maxConnsPerIP), exporter.Server()}
	if c.tls.Cert == "" {
		return slices.Clip(options), nil
	}
	source, err := c.tls.Server()
	if err != nil {
		return nil, shell.UsageError("tls-cert", err)
	}
	return slices.Clip(append(options, transport.ServerTLS(source))), nil
}

// Handle logs an error of the transport, as its error handler. Too many connections are no failure
// of this program.
func (s *server) Handle(_ context.Context, err error) {
	if errors.Is(err, transport.ErrMaxConns) || errors.Is(err, transport.ErrMaxConnsPerIP) {
		level.Warn(s.logger).Log("msg", "turned away", "err", err)
		return
	}
	level.Error(s.logger).Log("msg", "serving", "err", err)
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

// listen binds every address, or none.
func listen(ctx context.Context, addrs []string) (listeners []net.Listener, err error) {
	for _, addr := range addrs {
		l, err := transport.Listen(ctx, addr)
		if err != nil {
			closeAll(listeners)
			return nil, fmt.Errorf("--listen %s: %w", addr, err)
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// closeAll does nothing about listeners whose server has closed them.
func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// startDev starts the development registry, if it is asked for, at the address where the first
// target has a ZooKeeper.
func startDev(c config, logger kitlog.Logger) (io.Closer, error) {
	if !c.dev {
		return io.NopCloser(nil), nil
	}
	addr, err := devAddress(c.sd[0])
	if err != nil {
		return nil, err
	}
	dev, err := zkdev.Start(addr)
	if err != nil {
		return nil, fmt.Errorf("--dev: %w; to use a ZooKeeper that runs there, leave --dev out", err)
	}
	level.Warn(logger).Log("listen", addr,
		"msg", "ZooKeeper for development in this process: not for production, nothing is kept")
	return dev, nil
}

// devAddress is where a development registry for target is to listen: on this host only, since it
// asks nobody for a password, and at one address, since it is no ensemble.
func devAddress(target string) (string, error) {
	t, err := sd.ParseTarget(target)
	if err != nil {
		return "", shell.UsageError("sd", err)
	}
	var host sd.Host // a file has none
	if len(t.Hosts) == 1 {
		host = t.Hosts[0]
	}
	ip, _ := netip.ParseAddr(host.Name)
	if t.Scheme != "zk" || len(t.Hosts) != 1 || host.Name != "localhost" && !ip.IsLoopback() {
		return "", shell.UsageError("sd", fmt.Errorf("%q: --dev wants one ZooKeeper on a loopback "+
			"address, such as zk://127.0.0.1:2181/go_servers", target))
	}
	if t.Keys["tls-ca"] != "" {
		err := fmt.Errorf("%q: the ZooKeeper of --dev speaks no TLS", target)
		return "", shell.UsageError("sd", err)
	}
	port := host.Port
	if port == 0 {
		port = 2181
	}
	return net.JoinHostPort(host.Name, strconv.Itoa(int(port))), nil
}
