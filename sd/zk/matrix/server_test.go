package matrix

import (
	"context"
	"errors"
	"sync"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/endpoint"
	"example.com/daytime/sd"
	"example.com/daytime/sd/zk"
	"example.com/daytime/service"
	"example.com/daytime/transport"
)

// drainTime is how long a server goes on serving after its withdrawal.
const drainTime = 500 * time.Millisecond

// A server is one daytime server with its registration, in this process.
type server struct {
	instance  string
	tap       *tap
	backend   *zk.Backend
	registrar *sd.Registrar
	transport *transport.Server
	served    chan error // what Serve returned
	once      sync.Once  // closes
}

// startServer serves svc on instance and registers there. The registration may still be under way.
func startServer(
	target sd.Target, instance string, svc service.Service, logger kitlog.Logger,
	options ...sd.RegistrarOption,
) (*server, error) {
	listener, err := transport.Listen(context.Background(), instance)
	if err != nil {
		return nil, err
	}
	s := &server{instance: instance, tap: newTap(), served: make(chan error, 1)}
	s.transport = transport.NewDaytimeServer(endpoint.New(svc), logger)
	go func() { s.served <- s.transport.Serve(listener) }()
	if s.backend, err = zk.OpenBackend(target, zk.Dial(s.tap.dial)); err != nil {
		return nil, errors.Join(err, s.transport.Shutdown(context.Background()))
	}
	if s.registrar, err = sd.NewRegistrar(s.backend, instance, logger, options...); err != nil {
		return nil, errors.Join(err, s.close(0))
	}
	s.registrar.Register()
	return s, nil
}

// close withdraws, drains, and ends everything. It may be called again.
func (s *server) close(drain time.Duration) (err error) {
	s.once.Do(func() { err = s.shutdown(drain) })
	return err
}

func (s *server) shutdown(drain time.Duration) error {
	if s.registrar != nil {
		s.registrar.Deregister()
	}
	hold(drain)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := s.transport.Shutdown(ctx)
	if served := <-s.served; !errors.Is(served, transport.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return errors.Join(err, s.backend.Close())
}
