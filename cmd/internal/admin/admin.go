package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"golang.org/x/net/netutil"

	"example.com/daytime/cmd/internal/shell"
)

const (
	maxHeaderBytes = 16 << 10
	maxConns       = 128 // open at a time; more wait in the kernel's queue
	readTimeout    = 5 * time.Second
	writeTimeout   = 30 * time.Second // a page for a slow phone; profiles have more
	closeTimeout   = 500 * time.Millisecond
)

// A Config is what a Server is told at its start.
type Config struct {
	Program string       // name of the program
	Version string       // of the program
	Metrics http.Handler // answers /metrics; nil: 404
	Logger  kitlog.Logger
	View    View // what is shown at first; the zero value is of a process that is to serve
}

// A Server answers an operator. A nil *Server answers nobody, and its methods do nothing. The
// methods may be called concurrently.
type Server struct {
	config    Config
	host      string          // of this machine
	ctx       context.Context // its end is the withdrawal
	begun     time.Time
	stage     atomic.Value // starting, ready or withdrawing
	shown     atomic.Pointer[shown]
	page      *page
	guard     guard
	http      *http.Server
	addr      net.Addr
	running   sync.WaitGroup
	closeOnce sync.Once
}

// Start listens on addr, a host:port, and answers from then on, until Close. With an error, which
// is net's and names the address, nothing was begun. The end of ctx is the withdrawal of the
// process, which /readyz tells, and ends nothing here.
func Start(ctx context.Context, addr string, c Config) (*Server, error) {
	s := newServer(ctx, addr, c)
	if err := s.listen(ctx, addr); err != nil {
		return nil, err
	}
	level.Info(s.config.Logger).Log("msg", "admin", "listen", s.addr)
	return s, nil
}

// listen begins to answer.
func (s *Server) listen(ctx context.Context, addr string) error {
	var listening net.ListenConfig
	l, err := listening.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	s.addr = l.Addr()
	s.running.Go(func() { s.serve(netutil.LimitListener(l, maxConns)) })
	return nil
}

// ParseAddr reads an address for Start, as the value of a flag.
func ParseAddr(text string) (string, error) { return text, shell.CheckListen(text) }

// newServer returns a Server that does not listen.
func newServer(ctx context.Context, addr string, c Config) *Server {
	if c.Logger == nil {
		c.Logger = kitlog.NewNopLogger()
	}
	s := &Server{
		config: c,
		host:   hostname(),
		ctx:    ctx,
		begun:  time.Now(),
		page:   newPage(),
	}
	s.stage.Store(starting)
	s.guard = newGuard(addr, s.host)
	s.shown.Store(newShown(c.View))
	s.http = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          stdLogger(c.Logger),
	}
	s.http.SetKeepAlivesEnabled(false) // /livez must not wait for a connection that a browser keeps
	return s
}

// serve answers until Close. That it ends earlier is told, and nothing else ends for it.
func (s *Server) serve(l net.Listener) {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		level.Error(s.config.Logger).Log("msg", "admin", "err", err)
	}
}

// routes maps paths to what answers them.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", s.livez)
	mux.HandleFunc("GET /readyz", s.readyz)
	if s.config.Metrics != nil {
		mux.Handle("GET /metrics", s.config.Metrics)
	}
	mux.Handle("GET /{$}", s.guard.named(s.servePage))
	mux.Handle("GET /sections", s.guard.named(s.serveSections))
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent) // browsers ask for it, whatever the page says
	})
	s.profiles(mux)
	return secured(mux)
}

// Addr is where s listens, nil for a nil s.
func (s *Server) Addr() net.Addr {
	if s == nil {
		return nil
	}
	return s.addr
}

// SetServing has /readyz say 200 from now on, until the withdrawal.
func (s *Server) SetServing() {
	if s != nil {
		s.stage.CompareAndSwap(starting, ready)
	}
}

// SetWithdrawing has /readyz say 503 from now on, as the end of the context that Start was given
// does, and begins to end what follows directories, which takes its time where a registry is down.
func (s *Server) SetWithdrawing() {
	if s != nil {
		s.stage.Store(withdrawing)
		s.running.Go(s.shown.Load().close)
	}
}

// Show has the page show v from now on. The function that it returns ends what follows v's
// directories, and returns when that has ended: call it before a registry is closed. The page then
// shows what it showed last.
func (s *Server) Show(v View) (unfollow func()) {
	if s == nil {
		return func() {}
	}
	now := newShown(v)
	s.shown.Swap(now).close()
	return now.close
}

// Close ends the listener and every request, and waits for them, which takes half a second at most.
// It may be called again.
func (s *Server) Close() {
	if s == nil {
		return
	}
	s.closeOnce.Do(func() {
		s.shown.Load().close()
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		if s.http.Shutdown(ctx) != nil {
			s.http.Close() // a profile takes as long as it was asked to
		}
	})
	s.running.Wait()
}
