package service

import (
	"context"
	"time"

	kitlog "github.com/go-kit/log"
)

// A Middleware wraps a Service in more behaviour.
type Middleware func(Service) Service

// Logging writes a line for every request, before its reply: the reply, the error, and how long it
// took. A logger that may block, such as one that writes to a pipe, delays the reply. A server
// that answers thousands of requests a second goes without it.
func Logging(logger kitlog.Logger) Middleware {
	return func(next Service) Service { return logging{next, logger} }
}

type logging struct {
	next   Service
	logger kitlog.Logger
}

func (l logging) Daytime(ctx context.Context) (reply string, err error) {
	defer func(begin time.Time) {
		l.logger.Log("msg", "daytime", "reply", reply, "err", err, "took", time.Since(begin))
	}(time.Now())
	return l.next.Daytime(ctx)
}
