package transport

import (
	"cmp"
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
	return ServerMetrics{
		InFlight:        cmp.Or(m.InFlight, discard.NewGauge()),
		Accepted:        cmp.Or(m.Accepted, discard.NewCounter()),
		TurnedAway:      cmp.Or(m.TurnedAway, discard.NewCounter()),
		HandshakeFailed: cmp.Or(m.HandshakeFailed, discard.NewCounter()),
		Failed:          cmp.Or(m.Failed, discard.NewCounter()),
		Duration:        cmp.Or(m.Duration, discard.NewHistogram()),
	}
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
	return ClientMetrics{
		InFlight: cmp.Or(m.InFlight, discard.NewGauge()),
		Failed:   cmp.Or(m.Failed, discard.NewCounter()),
		Duration: cmp.Or(m.Duration, discard.NewHistogram()),
	}
}

// returned measures one call that began at begin.
func (m *ClientMetrics) returned(begin time.Time, err error) {
	m.InFlight.Add(-1)
	m.Duration.Observe(time.Since(begin).Seconds())
	if err != nil {
		m.Failed.Add(1)
	}
}
