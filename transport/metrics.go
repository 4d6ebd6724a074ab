package transport

import (
	"time"

	"github.com/go-kit/kit/metrics"
	"github.com/go-kit/kit/metrics/discard"
)

// ServerMetrics are the instruments of a server. One that is nil is not used. They are called for
// every connection, on the goroutine that serves it, and must not block.
type ServerMetrics struct {
	InFlight        metrics.Gauge     // connections whose reply is not with the kernel yet
	Accepted        metrics.Counter   // connections, with those of the next two
	TurnedAway      metrics.Counter   // connections above MaxConns or MaxConnsPerIP
	HandshakeFailed metrics.Counter   // connections without a TLS handshake
	Failed          metrics.Counter   // connections without a whole reply, for another reason
	Duration        metrics.Histogram // seconds from the start of serving to the end of the reply
}

// ServerInstrumenting measures a server. By default nothing is measured. The duration is
// OpenTelemetry's rpc.server.call.duration, in seconds.
func ServerInstrumenting(m ServerMetrics) ServerOption {
	return func(s *Server) { s.metrics = m.complete() }
}

// complete puts an instrument that does nothing in the place of each nil.
func (m ServerMetrics) complete() ServerMetrics {
	completeGauge(&m.InFlight)
	completeCounter(&m.Accepted, &m.TurnedAway, &m.HandshakeFailed, &m.Failed)
	completeHistogram(&m.Duration)
	return m
}

// replied measures one connection that was served since begin.
func (m *ServerMetrics) replied(begin time.Time, err error) {
	m.InFlight.Add(-1)
	m.Duration.Observe(time.Since(begin).Seconds())
	if err != nil {
		m.Failed.Add(1)
	}
}

// ClientMetrics are the instruments of a client. One that is nil is not used. They are called for
// every call, on the caller's goroutine, and must not block.
type ClientMetrics struct {
	InFlight metrics.Gauge     // calls
	Failed   metrics.Counter   // calls
	Duration metrics.Histogram // seconds of a call, failed ones included
}

// ClientInstrumenting measures a client. By default nothing is measured. The duration is
// OpenTelemetry's rpc.client.call.duration, in seconds.
func ClientInstrumenting(m ClientMetrics) ClientOption {
	return func(c *Client) { c.metrics = m.complete() }
}

// complete puts an instrument that does nothing in the place of each nil.
func (m ClientMetrics) complete() ClientMetrics {
	completeGauge(&m.InFlight)
	completeCounter(&m.Failed)
	completeHistogram(&m.Duration)
	return m
}

// returned measures one call that began at begin.
func (m *ClientMetrics) returned(begin time.Time, err error) {
	m.InFlight.Add(-1)
	m.Duration.Observe(time.Since(begin).Seconds())
	if err != nil {
		m.Failed.Add(1)
	}
}

func completeGauge(g *metrics.Gauge) {
	if *g == nil {
		*g = discard.NewGauge()
	}
}

func completeCounter(counters ...*metrics.Counter) {
	for _, c := range counters {
		if *c == nil {
			*c = discard.NewCounter()
		}
	}
}

func completeHistogram(h *metrics.Histogram) {
	if *h == nil {
		*h = discard.NewHistogram()
	}
}
