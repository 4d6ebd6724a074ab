package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"

	kitlb "github.com/go-kit/kit/sd/lb"

	"example.com/daytime/sd/lb"
	"example.com/daytime/transport"
)

// kindOf names the reason why a request failed, for a count of failures. The last attempt that ended
// by itself tells more than the end of the request.
func kindOf(r result) string {
	err := r.err
	for _, t := range r.tries {
		if t.Err != nil && kindOfError(t.Err) != "" {
			err = t.Err
		}
	}
	return cmp.Or(kindOfError(err), "other")
}

func kindOfError(err error) string {
	for _, kind := range []struct {
		err  error
		name string
	}{
		{kitlb.ErrNoEndpoints, "nobody to ask"},
		{syscall.ECONNREFUSED, "connection refused"},
		{syscall.EMFILE, "too many open files"},
		{transport.ErrHandshake, "TLS handshake"},
		{syscall.ECONNRESET, "connection reset"},
		{transport.ErrTooLong, "reply too long"},
		{transport.ErrNoReply, "no reply"},
		{transport.ErrDeadline, "timeout"},
		{transport.ErrConnect, "cannot connect"},
		{lb.ErrBudget, "retry budget"},
		{context.DeadlineExceeded, "timeout"},
	} {
		if errors.Is(err, kind.err) {
			return kind.name
		}
	}
	return ""
}

// failures is the count of failures by kind, the most frequent first.
func failures(kinds map[string]int) string {
	names := slices.SortedFunc(maps.Keys(kinds), func(a, b string) int {
		return cmp.Or(cmp.Compare(kinds[b], kinds[a]), strings.Compare(a, b))
	})
	var parts []string
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%d %s", kinds[name], name))
	}
	return strings.Join(parts, ", ")
}
