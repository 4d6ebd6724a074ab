package matrix

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"example.com/daytime/endpoint"
	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd"
	"example.com/daytime/service"
	"example.com/daytime/transport"
	kitlog "github.com/go-kit/log"
	"go.uber.org/goleak"
)

var (
	runMatrix = flag.Bool("matrix", false, "run the faults of a fleet")
	rate      = flag.Int("matrix.rate", 50, "requests a second of each client; 10 for a busy machine")
	runPeers  = flag.Bool("matrix.peers", false,
		"run the faults of one registrant and one watcher, ours and others'")
)

// What a child process is told by.
const (
	envTarget   = "MATRIX_TARGET"
	envInstance = "MATRIX_INSTANCE"
)

// drainTime is how long a server goes on serving after its withdrawal.
const drainTime = 500 * time.Millisecond

func TestMain(m *testing.M) {
	if instance := os.Getenv(envInstance); instance != "" {
		if err := serve(os.Getenv(envTarget), instance); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	if *runPeers { // others leak
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m)
}

// serve is a daytime server in a process of its own, until it is asked to end.
func serve(target, instance string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	listener, err := transport.Listen(ctx, instance)
	if err != nil {
		return err
	}
	server := transport.NewDaytimeServer(endpoint.New(service.New(instance)), kitlog.NewNopLogger())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	backend, err := sd.Schemes{"etcd": etcd.Open}.Open(target)
	if err != nil {
		return err
	}
	logger := kitlog.With(kitlog.NewLogfmtLogger(os.Stderr), "ts", kitlog.DefaultTimestampUTC)
	registrar, err := sd.NewRegistrar(backend, instance, logger)
	if err != nil {
		return err
	}
	registrar.Register()
	<-ctx.Done()
	registrar.Deregister()
	time.Sleep(drainTime)
	ending, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err = server.Shutdown(ending)
	if e := <-served; !errors.Is(e, transport.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return errors.Join(err, backend.Close())
}
