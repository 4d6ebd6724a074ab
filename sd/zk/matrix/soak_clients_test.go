package matrix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	kitendpoint "github.com/go-kit/kit/endpoint"
	kitsd "github.com/go-kit/kit/sd"
	kitlog "github.com/go-kit/log"

	"example.com/daytime/endpoint"
	"example.com/daytime/sd"
	"example.com/daytime/sd/lb"
	"example.com/daytime/sd/zk"
	"example.com/daytime/transport"
)

// soakEvery is between two requests of one client.
const soakEvery = 50 * time.Millisecond

// A soakedClient makes requests with one picker.
type soakedClient struct {
	name      string
	backend   *zk.Backend
	instancer *sd.Instancer
	pool      *lb.Pool
	call      kitendpoint.Endpoint
	oracle    *oracle
}

func openSoakedClient(target sd.Target, picker string, o *oracle) (*soakedClient, error) {
	p, err := lb.ParsePicker(picker)
	if err != nil {
		return nil, err
	}
	c := &soakedClient{name: picker, oracle: o}
	if c.backend, err = zk.OpenBackend(target); err != nil {
		return nil, err
	}
	c.instancer = sd.NewInstancer(c.backend, kitlog.NewNopLogger(), sd.FollowPolicy())
	c.pool = lb.NewPool(c.instancer, c.factory, kitlog.NewNopLogger())
	c.call = lb.Retry(c.pool, p, lb.Idempotent())
	return c, nil
}

// factory is the daytime service's, with attempts told to the oracle.
func (c *soakedClient) factory(instance string) (kitendpoint.Endpoint, io.Closer, error) {
	call, closer, err := transport.Factory()(instance)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, request any) (any, error) {
		c.oracle.attempt(c, instance)
		return call(ctx, request)
	}, closer, nil
}

// ask makes one request.
func (c *soakedClient) ask(key int) {
	ctx := lb.WithKey(context.Background(), fmt.Sprint(key))
	_, err := c.call(ctx, endpoint.DaytimeRequest{})
	c.oracle.answer(c, err)
}

// pooled are the instances that the pool takes to be in the registry: those that it calls, and
// those that the policy drains.
func (c *soakedClient) pooled() (open, drained []string) {
	for _, s := range c.pool.Stats() {
		switch s.State {
		case "listed", "ejected", "pending":
			open = append(open, s.Instance)
		case "drained":
			drained = append(drained, s.Instance)
		}
	}
	slices.Sort(open)
	slices.Sort(drained)
	return open, drained
}

// shows returns an error unless the client knows the truth, and its pool does.
func (c *soakedClient) shows(want truth) error {
	open, drained := c.pooled()
	return errors.Join(
		isLive(c.instancer), equal("its list", want.listed, c.instancer.Instances()),
		equal("its pool", want.open(), open), equal("drained in its pool", want.drained, drained))
}

func (c *soakedClient) close() {
	c.pool.Close()
	c.instancer.Stop()
	c.backend.Close()
}

// isLive returns an error unless an Instancer is live.
func isLive(i *sd.Instancer) error {
	if s := i.State(); s.Phase != sd.Live {
		return fmt.Errorf("want %s, have %v", sd.Live, s)
	}
	return nil
}

func equal(what string, want, have []string) error {
	if !slices.Equal(want, have) {
		return fmt.Errorf("%s: want %q, have %q", what, want, have)
	}
	return nil
}

// A soakedWatcher follows the directory as a go-kit program does, and knows no policy. Beside it is
// a subscriber that does not read.
type soakedWatcher struct {
	backend   *zk.Backend
	instancer *sd.Instancer
	events    chan kitsd.Event
	stuck     chan kitsd.Event
	done      chan struct{}

	mu   sync.Mutex
	last []string
}

func openSoakedWatcher(target sd.Target) (*soakedWatcher, error) {
	backend, err := zk.OpenBackend(target)
	if err != nil {
		return nil, err
	}
	w := &soakedWatcher{
		backend: backend, instancer: sd.NewInstancer(backend, kitlog.NewNopLogger()),
		events: make(chan kitsd.Event), stuck: make(chan kitsd.Event), done: make(chan struct{}),
	}
	go func() {
		defer close(w.done)
		for e := range w.events {
			w.mu.Lock()
			w.last = e.Instances
			w.mu.Unlock()
		}
	}()
	w.instancer.Register(w.stuck)
	w.instancer.Register(w.events)
	return w, nil
}

// shows returns an error unless the watcher was told the truth last.
func (w *soakedWatcher) shows(want truth) error {
	w.mu.Lock()
	last := slices.Clone(w.last)
	w.mu.Unlock()
	slices.Sort(last)
	return errors.Join(isLive(w.instancer), equal("told last", want.listed, last))
}

func (w *soakedWatcher) close() {
	w.instancer.Stop()
	w.backend.Close()
	close(w.events)
	<-w.done
}
