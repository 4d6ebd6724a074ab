package main

import (
	"context"
	"fmt"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/cmd/internal/admin"
	"example.com/daytime/cmd/internal/discovery"
	"example.com/daytime/sd"
	"example.com/daytime/sd/lb"
)

// startAdmin answers an operator at --admin, if that is given, for as long as get runs.
func (c *config) startAdmin(ctx context.Context, logger kitlog.Logger) (*admin.Server, error) {
	if c.admin == "" {
		return nil, nil
	}
	s, err := admin.Start(ctx, c.admin, admin.Config{Program: "daytimecli", Version: c.version,
		Metrics: c.exporter.Handler(), Logger: logger,
		View: admin.View{Members: func() []lb.Stat { return nil }}})
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("--admin %s: %w", c.admin, err)
	}
	return s, nil
}

// view is what the operator is shown: the pool as it sees its members, and the lists that it
// follows anyway.
func (c *config) view(pool *lb.Pool, d *discovery.Discovery) admin.View {
	v := admin.View{Members: pool.Stats}
	for _, p := range d.Parts {
		v.Directories = append(v.Directories, admin.Directory{Registry: p.URL,
			Follow: func() (*sd.Instancer, func()) { return p.Instancer, func() {} }})
	}
	return v
}
