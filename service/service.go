package service

import (
	"context"
	"time"
)

// A Service tells the time. Implementations may be called concurrently.
type Service interface {
	// Daytime returns one line without a line end.
	Daytime(ctx context.Context) (string, error)
}

// An Option changes a Service that New makes.
type Option func(*daytime)

// Clock is where the time comes from. The default is time.Now.
func Clock(now func() time.Time) Option {
	return func(d *daytime) { d.now = now }
}

// Format is the layout of the time, in the words of package time; ParseFormat knows some by name.
// The default is 2006-01-02 15:04:05.999999 -0700 MST.
func Format(layout string) Option {
	return func(d *daytime) { d.layout = layout }
}

// Anonymous leaves the server's name away: the line is the time alone, as clients of RFC 867 expect
// it. By default the line begins with the name.
func Anonymous() Option {
	return func(d *daytime) { d.prefix = "" }
}

// New returns a Service that answers "name: time". The name is the address under which the server
// is registered.
func New(name string, options ...Option) Service {
	d := &daytime{prefix: name + ": ", layout: defaultLayout, now: time.Now}
	for _, option := range options {
		option(d)
	}
	return d
}

type daytime struct {
	prefix string
	layout string
	now    func() time.Time
}

// Daytime never fails and never blocks, so it has no use for ctx.
func (d *daytime) Daytime(context.Context) (string, error) {
	line := make([]byte, 0, 96) // holds every known layout, so that the line costs one allocation
	line = append(line, d.prefix...)
	line = d.now().AppendFormat(line, d.layout)
	return string(line), nil
}
