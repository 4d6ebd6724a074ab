package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"

	kitsd "github.com/go-kit/kit/sd"
	"github.com/go-kit/log/level"

	"example.com/daytime/sd"
)

// stampLayout is RFC 3339 with milliseconds, of one width.
const stampLayout = "2006-01-02T15:04:05.000Z07:00"

// list prints the servers once. A list that the registry did not confirm is printed, too, but is no success.
func list(ctx context.Context, c *config, stdout, stderr io.Writer) error {
	registry, err := c.open(stderr, true) // the error tells the state
	if err != nil {
		return err
	}
	defer registry.Close()
	state := registry.settle(ctx, c.timeout)
	if state.Phase == sd.Unknown {
		return fmt.Errorf("%s: %s", c.sd, unanswered(state))
	}
	instances := registry.instances()
	if len(instances) == 0 {
		level.Warn(registry.logger).Log("msg", nobodyNow)
	} else if err := put(stdout, strings.Join(instances, "\n")+"\n"); err != nil {
		return quiet(err)
	}
	if state.Phase == sd.Stale {
		return fmt.Errorf("%s: no answer; %s: %w", c.sd, registry.age(state), state.Err)
	}
	return nil
}

// instances is the whole set, which is known.
func (r *registry) instances() []string {
	events := make(chan kitsd.Event)
	r.Register(events)
	defer r.Deregister(events)
	return (<-events).Instances
}

// unanswered explains a set that is not known.
func unanswered(s sd.State) string {
	if s.Err == nil {
		return nobodyYet + ": " + s.String()
	}
	return s.String()
}

// watch prints changes until ctx is done.
func watch(ctx context.Context, c *config, stdout, stderr io.Writer) error {
	registry, err := c.open(stderr, c.snapshot != "")
	if err != nil {
		return err
	}
	defer registry.Close()
	registry.begin(ctx)
	absence := watchAbsence(registry)
	defer absence.stop()
	broken := make(chan error, 1) // holds the first error
	stop := registry.Follow(func(c sd.Change) {
		if err := put(stdout, changes(time.Now(), c.Up, c.Down)); err != nil {
			select {
			case broken <- err:
			default:
			}
		}
	})
	defer stop()
	patience := time.NewTimer(c.timeout)
	defer patience.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-broken:
			return quiet(err)
		case <-patience.C:
			absence.look()
		}
	}
}

// changes is a line for each change.
func changes(now time.Time, up, down []string) string {
	var b strings.Builder
	stamp := now.UTC().Format(stampLayout)
	for _, instance := range slices.Sorted(slices.Values(down)) {
		fmt.Fprintf(&b, "%s leave %s\n", stamp, instance)
	}
	for _, instance := range slices.Sorted(slices.Values(up)) {
		fmt.Fprintf(&b, "%s join %s\n", stamp, instance)
	}
	return b.String()
}

// quiet takes a reader that has seen enough for a good end.
func quiet(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}
