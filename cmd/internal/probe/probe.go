// Package probe asks a daytime server directly, without a registry and without a balancer: whether
// it answers, in which time, and how far its clock is from this host's. Of an address that gives no
// such answer it finds out what is there instead.
//
//	for _, answer := range probe.All(ctx, instances, 50, transport.ClientTimeout(2*time.Second)) {
//		fmt.Println(answer.Took, answer.Clock, answer.Err)
//	}
//
// What comes from the network is untrusted: a text of a peer is quoted before it is shown.
package probe

import (
	"context"
	"sync"
	"time"

	"example.com/daytime/endpoint"
	"example.com/daytime/transport"
)

// asks is how often each server is asked. The fastest answer counts: the faster it is, the better
// is the clock known.
const asks = 3

// An Answer is what a server says when it is asked.
type Answer struct {
	Err   error
	Reply string        // of the fastest answer, as it came
	Took  time.Duration // of the fastest answer
	Clock Clock
	Names []string // that the replies begin with, each once; see Name
}

// All asks every instance, at most so many at a time, and returns the answers in the same order.
// Each request is bounded by the client's timeout.
func All(ctx context.Context, instances []string, atOnce int,
	options ...transport.ClientOption) []Answer {
	answers := make([]Answer, len(instances))
	Each(len(instances), atOnce, func(i int) { answers[i] = Ask(ctx, instances[i], options...) })
	return answers
}

// Each calls do with 0 to n-1, at most so many at a time, and returns when all have returned.
func Each(n, atOnce int, do func(i int)) {
	slots := make(chan struct{}, max(atOnce, 1))
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			do(i)
			<-slots
		})
	}
	all.Wait()
}

// Ask asks one instance, three times. An error of one of these is that of the answer.
func Ask(ctx context.Context, instance string, options ...transport.ClientOption) (best Answer) {
	client := transport.NewDaytimeClient(instance, options...)
	set := endpoint.Set{DaytimeEndpoint: client.Endpoint()}
	var names []string
	for n := range asks {
		begin := time.Now()
		reply, err := set.Daytime(ctx)
		took := time.Since(begin)
		if err != nil {
			return Answer{Err: err}
		}
		names = add(names, Name(reply))
		if n == 0 || took < best.Took {
			best = Answer{Reply: reply, Took: took, Clock: clockOf(reply, begin, took)}
		}
	}
	best.Names = names
	return best
}

// add returns names with name, unless that is empty or among them.
func add(names []string, name string) []string {
	for _, n := range names {
		if n == name {
			return names
		}
	}
	if name == "" {
		return names
	}
	return append(names, name)
}
