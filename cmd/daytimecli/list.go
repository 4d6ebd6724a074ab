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
	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"example.com/daytime/sd"
)

// stampLayout is RFC 3339 with milliseconds, of one width.
const stampLayout = "2006-01-02T15:04:05.000Z07:00"

// list prints the servers once.
func list(ctx context.Context, c *config, stdout, stderr io.Writer) error {
	backend, err := c.open()
	if err != nil {
		return err
	}
	defer backend.Close()
	instancer := sd.NewInstancer(backend, kitlog.NewNopLogger()) // its state is in the error
	defer instancer.Stop()
	events := make(chan kitsd.Event)
	instancer.Register(events)
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	select {
	case <-ctx.Done():
		return fmt.Errorf("%s: %s", c.sd, unanswered(instancer.State()))
	case event := <-events:
		if len(event.Instances) == 0 {
			level.Warn(c.newLogger(stderr)).Log("msg", nobodyNow)
			return nil
		}
		return quiet(put(stdout, strings.Join(event.Instances, "\n")+"\n"))
	}
}

// unanswered explains a set that is not known.
func unanswered(s sd.State) string {
	if s.Err == nil {
		return nobodyEver + ", or the answer is late: " + s.String()
	}
	return s.String()
}

// watch prints changes until ctx is done.
func watch(ctx context.Context, c *config, stdout, stderr io.Writer) error {
	backend, err := c.open()
	if err != nil {
		return err
	}
	defer backend.Close()
	logger := c.newLogger(stderr)
	instancer := sd.NewInstancer(backend, logger)
	defer instancer.Stop()
	absence := watchAbsence(instancer, logger)
	defer absence.stop()
	broken := make(chan error, 1) // holds the first error
	stop := instancer.Follow(func(_ bool, up, down []string) {
		if err := put(stdout, changes(time.Now(), up, down)); err != nil {
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
