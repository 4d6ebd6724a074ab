package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"example.com/daytime/endpoint"
	"example.com/daytime/service"
	"example.com/daytime/transport"
)

const (
	checkAsks   = 3  // of each server, of which the fastest counts
	maxChecking = 50 // servers at a time
)

// A check is what a server answers when it is asked directly.
type check struct {
	err    error
	took   time.Duration // of the fastest answer
	clock  bool          // the answer has a time that is understood
	offset time.Duration // of its clock to ours
	bound  time.Duration // of the error of offset, on either side
}

// checkAll asks every instance.
func checkAll(ctx context.Context, instances []string, options []transport.ClientOption) []check {
	checks := make([]check, len(instances))
	slots := make(chan struct{}, maxChecking)
	var all sync.WaitGroup
	for i, instance := range instances {
		slots <- struct{}{}
		all.Go(func() {
			checks[i] = checkOne(ctx, instance, options)
			<-slots
		})
	}
	all.Wait()
	return checks
}

// checkOne asks one instance. The faster its answer, the better is its clock known.
func checkOne(ctx context.Context, instance string, options []transport.ClientOption) (best check) {
	client := transport.NewDaytimeClient(instance, options...)
	set := endpoint.Set{DaytimeEndpoint: client.Endpoint()}
	for n := range checkAsks {
		begin := time.Now()
		reply, err := set.Daytime(ctx)
		took := time.Since(begin)
		if err != nil {
			return check{err: err}
		}
		if n > 0 && took >= best.took {
			continue
		}
		best = check{took: took}
		best.offset, best.bound, best.clock = offsetOf(reply, instance, begin, took)
	}
	return best
}

// offsetOf compares the time in a reply with ours. The server read its clock at some moment of the
// request, so that half of its length is unsure; a time that is cut off to its unit is half of that
// unit late on average, and as much unsure.
func offsetOf(reply, instance string, begin time.Time, took time.Duration) (
	offset, bound time.Duration, ok bool) {
	read, unit, ok := parseTime(strings.TrimPrefix(reply, instance+": "))
	if !ok {
		return 0, 0, false
	}
	middle := begin.Add(took / 2)
	return read.Add(unit / 2).Sub(middle), (took + unit) / 2, true
}

// parseTime reads a time in one of the formats that our servers have, and tells its unit. A zone
// that is a name alone is understood if it is UTC's or ours: others have no one meaning.
func parseTime(text string) (t time.Time, unit time.Duration, ok bool) {
	for _, name := range service.FormatNames() {
		layout, err := service.ParseFormat(name)
		if err != nil {
			continue
		}
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		zone, seconds := t.Zone()
		if !strings.Contains(layout, "07") && seconds == 0 && zone != "UTC" && zone != "GMT" {
			return t, 0, false
		}
		if strings.Contains(layout, ".999999") {
			return t, time.Microsecond, true
		}
		return t, time.Second, true
	}
	return t, 0, false
}

// clockText is the offset of a clock for a person.
func (k check) clockText() string {
	if k.err != nil || !k.clock {
		return "-"
	}
	sign := "+"
	if k.offset < 0 {
		sign = "-"
	}
	return fmt.Sprintf("%s%v ±%v", sign, round(k.offset.Abs()), round(k.bound))
}

// state is whether the server answers, in a word or the reason.
func (k check) state() string {
	if k.err == nil {
		return "yes"
	}
	return kindOf(result{err: k.err})
}
