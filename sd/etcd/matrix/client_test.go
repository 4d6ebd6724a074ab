package matrix

import (
	"context"
	"time"

	"example.com/daytime/endpoint"
	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd"
	"example.com/daytime/sd/lb"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/transport"
	kitendpoint "github.com/go-kit/kit/endpoint"
	kitlog "github.com/go-kit/log"
)

// A client is a backend, and the list and the balancer on top of it.
type client struct {
	fleet   *fleet
	backend *etcd.Backend
	view    *sdtest.Viewer
	pool    *lb.Pool
	call    kitendpoint.Endpoint
}

func newClient(f *fleet) *client {
	f.Helper()
	c := &client{fleet: f}
	var err error
	if c.backend, err = etcd.OpenBackend(sdtest.Target(f, f.target)); err != nil {
		f.Fatal(err)
	}
	c.view = sdtest.NewViewer(c.backend)
	c.pool = lb.NewPool(c.view.Instancer, transport.Factory(), kitlog.NewNopLogger())
	c.call = lb.Retry(c.pool, lb.LeastLoaded{}, lb.Idempotent())
	f.Cleanup(func() {
		c.pool.Close()
		c.view.Stop()
		c.backend.Close()
	})
	return c
}

// run makes requests until ctx is done, at the rate of the flag whatever became of those before.
func (c *client) run(ctx context.Context) {
	if c.view.Await(ctx) != nil {
		return
	}
	ticker := time.NewTicker(time.Second / time.Duration(*rate))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.fleet.calls.Go(c.ask)
		}
	}
}

// ask makes one request.
func (c *client) ask() {
	c.fleet.asked.Add(1)
	if _, err := c.call(context.Background(), endpoint.DaytimeRequest{}); err != nil {
		c.fleet.failed.Add(1)
		c.fleet.why.Store(&err)
	}
}

// shows returns an error unless the client's list is want, and live.
func (c *client) shows(want []string) error {
	if err := sdtest.Phase(c.view.State, sd.Live); err != nil {
		return err
	}
	return c.view.Is(want...)
}
