package main

import (
	"context"
	"io"
	"sync"
	"time"

	kitendpoint "github.com/go-kit/kit/endpoint"
	kitsd "github.com/go-kit/kit/sd"
)

// noAnswerYet is the error of an attempt that was under way when its request was over.
const noAnswerYet = "no answer when the request was over"

// An attempt is one attempt of a request.
type attempt struct {
	Server string  `json:"server"`
	Error  string  `json:"error"` // empty if it was answered
	MS     float64 `json:"ms"`
}

// An attemptLog takes down the attempts of one request, some of which may run side by side.
type attemptLog struct {
	mu    sync.Mutex
	tries []attempt
	begun []time.Time
}

type attemptKey struct{}

// withAttempts returns a context for one request, and the attemptLog which that fills in.
func withAttempts(ctx context.Context) (context.Context, *attemptLog) {
	l := new(attemptLog)
	return context.WithValue(ctx, attemptKey{}, l), l
}

// begin takes down an attempt, and returns the function that takes down its end.
func (l *attemptLog) begin(server string) (end func(error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.tries)
	l.tries = append(l.tries, attempt{Server: server, Error: noAnswerYet})
	l.begun = append(l.begun, time.Now())
	return func(err error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.tries[n].MS = milliseconds(time.Since(l.begun[n]))
		if l.tries[n].Error = ""; err != nil {
			l.tries[n].Error = err.Error()
		}
	}
}

// list returns the attempts so far, in the order of their beginnings. It is not nil.
func (l *attemptLog) list() []attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	tries := append([]attempt{}, l.tries...)
	for n := range tries {
		if tries[n].Error == noAnswerYet {
			tries[n].MS = milliseconds(time.Since(l.begun[n]))
		}
	}
	return tries
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// recordAttempts has every attempt on the endpoints of factory taken down in the attemptLog of its
// request.
func recordAttempts(factory kitsd.Factory) kitsd.Factory {
	return func(instance string) (kitendpoint.Endpoint, io.Closer, error) {
		next, closer, err := factory(instance)
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context, request any) (response any, err error) {
			if l, ok := ctx.Value(attemptKey{}).(*attemptLog); ok {
				end := l.begin(instance)
				defer func() { end(err) }()
			}
			return next(ctx, request)
		}, closer, nil
	}
}
