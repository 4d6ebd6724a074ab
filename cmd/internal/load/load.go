// Package load makes requests at a pace, and counts what becomes of them: how many were answered by
// whom, why others failed, and how long they took.
//
//	tally := load.NewTally(true)
//	for result := range (load.Plan{Count: 100, AtOnce: 5}).Run(ctx, request) {
//		tally.Add(result)
//	}
//	fmt.Print(tally.Summary(pool.Stats(), 80))
//
// What a request is its caller knows; a load generator keeps so many of them under way.
package load

import (
	"context"
	"sync"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd/lb"
	"example.com/daytime/transport"
)

// maxInFlight is how many requests are under way at a time; more wait for their turn.
const maxInFlight = 1000

// A Plan says how many requests there are, and when they begin.
type Plan struct {
	Count    int           // of requests; 0 is unlimited
	Interval time.Duration // between the starts of two; 0 is one after the other
	Duration time.Duration // how long requests are started; 0 is no bound
	AtOnce   int           // so many are kept under way; 0 is as the interval wants it
}

// A Result is the outcome of a request.
type Result struct {
	Seq    int       // from 1
	Begin  time.Time // of the request
	Server string    // that answered
	Reply  string
	Err    error
	Took   time.Duration // for all attempts together
	Tries  []lb.Try
}

// Run starts requests as the plan says, and returns their results as they come. A slow request does
// not delay the next one: as many overlap as inFlight allows. Starts that were missed, because the
// process was stopped for instance, are not made up for. When ctx is done no further request is
// started, and those under way are given up. The caller must receive until the channel is closed,
// which is when the goroutines of Run have ended.
func (p Plan) Run(ctx context.Context, request func(ctx context.Context,
	seq int) Result) <-chan Result {
	results := make(chan Result)
	slots := make(chan struct{}, p.inFlight())
	starting, stop := ctx, context.CancelFunc(func() {})
	if p.Duration > 0 {
		starting, stop = context.WithTimeout(ctx, p.Duration)
	}
	go func() {
		defer close(results)
		defer stop()
		var requests sync.WaitGroup
		defer requests.Wait()
		next := time.Now()
		for seq := 1; (p.Count == 0 || seq <= p.Count) && shell.Sleep(starting, time.Until(next)); seq++ {
			select {
			case slots <- struct{}{}:
			case <-starting.Done():
				return
			}
			requests.Go(func() {
				results <- request(ctx, seq)
				<-slots
			})
			next = latest(next.Add(p.Interval), time.Now())
		}
	}()
	return results
}

// inFlight is how many requests may be under way at a time. Each takes a file descriptor, or two
// when its first server is slow.
func (p Plan) inFlight() int {
	switch {
	case p.AtOnce > 0:
		return p.AtOnce
	case p.Interval == 0:
		return 1
	}
	return min(maxInFlight, max(transport.DefaultMaxConns(1)/2, 1))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
