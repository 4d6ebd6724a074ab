package telemetry

import (
	"github.com/go-kit/kit/metrics"
	"github.com/prometheus/client_golang/prometheus"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd"
	"example.com/daytime/sd/lb"
	"example.com/daytime/sd/zk"
	"example.com/daytime/transport"
)

// buckets are OpenTelemetry's for rpc.client.call.duration and rpc.server.call.duration, in
// seconds: https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/
func buckets() []float64 {
	return []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
}

// Instancer is the option of an Instancer: of the only one and of the union of several, whose
// registry is "", or of the one of several that is called registry.
func (e *Exporter) Instancer(registry string) sd.InstancerOption {
	if e == nil {
		return func(*sd.Instancer) {}
	}
	of := func(name, help string, labels ...string) metrics.Gauge {
		return e.gaugeOf(registry, name, help, labels...)
	}
	return sd.InstancerInstruments(sd.InstancerMetrics{
		Instances: of("sd_instances", "Instances in the list, drained ones included."),
		SetHash: of("sd_set_hash",
			"Hash of the list, equal on all clients that have the same; 0 for an empty one or none."),
		State: of("sd_state", "1 for the phase that discovery is in.", "phase"),
		StateSince: of("sd_state_since_timestamp_seconds",
			"When discovery came into its phase, since 1970."),
		LastConfirmed: of("sd_last_confirmed_timestamp_seconds",
			"When the list was last known to be the registry's, since 1970; 0 for never."),
		PolicyVersion: of("sd_policy_version",
			"Version of the policy, as the registry told it last."),
		PolicySuspended: of("sd_policy_suspended",
			"1 while all are drained, or all weights are 0, so that it is ignored.",
			"verb"),
		PolicyProblems: of("sd_policy_problems",
			"Wrong lines, 1 for an unreadable document, instances without readable attributes.",
			"kind"),
	})
}

// Registrar is the option of all Registrars, which are counted together.
func (e *Exporter) Registrar() sd.RegistrarOption {
	if e == nil {
		return func(*sd.Registrar) {}
	}
	return e.registrar()
}

func (e *Exporter) newRegistrar() sd.RegistrarOption {
	return sd.RegistrarInstruments(sd.RegistrarMetrics{
		State: e.gauge("sd_registration_state", "Registrations of this process by phase.", "phase"),
		StateSince: e.gauge("sd_registration_state_since_timestamp_seconds",
			"When the registration that has been longest in this phase came into it; 0 for none.",
			"phase"),
	})
}

// ZK is package zk's entry in sd.Schemes, with instruments. The registry is as for Instancer.
func (e *Exporter) ZK(registry string) func(sd.Target) (sd.Backend, error) {
	return func(t sd.Target) (sd.Backend, error) {
		return zk.Opener(zk.Instruments(e.Backend(registry)))(t)
	}
}

// Etcd is package etcd's.
func (e *Exporter) Etcd(registry string) func(sd.Target) (sd.Backend, error) {
	return func(t sd.Target) (sd.Backend, error) {
		return etcd.OpenBackend(t, etcd.Instruments(e.Backend(registry)))
	}
}

// Backend is for the Instruments of package zk or etcd. The registry is as for Instancer.
func (e *Exporter) Backend(registry string) sd.BackendMetrics {
	return sd.BackendMetrics{
		SessionExpiries: e.counterOf(registry, "sd_session_expiries_total",
			"Sessions with the registry, or leases, that ended against our will."),
		Repaired: e.counterOf(registry, "sd_repaired_total",
			"Lists that an audit found to be wrong, and had read again."),
	}
}

// Pool is the option of a Pool, and of the Retries on it.
func (e *Exporter) Pool() lb.PoolOption {
	return lb.Instruments(lb.Metrics{
		Members:  e.gauge("lb_members", "Instances in the pool by state.", "state"),
		Attempts: e.counter("lb_attempts_total", "Attempts of calls by outcome.", "outcome"),
		Ejections: e.counter("lb_ejections_total",
			"Instances set aside, by the evidence against them.", "cause"),
		BudgetExhausted: e.counter("lb_retry_budget_exhausted_total",
			"Attempts that the retry budget did not allow."),
		CallDuration: e.histogram("rpc_client_call_duration_seconds",
			"Time that calls took, with all their attempts."),
	})
}

// Client is the option of a transport.Client. A call through a Pool makes one call of it for each
// attempt.
func (e *Exporter) Client() transport.ClientOption {
	return transport.ClientInstrumenting(transport.ClientMetrics{
		InFlight: e.gauge("rpc_client_attempts_in_flight", "Attempts under way."),
		Failed:   e.counter("rpc_client_attempts_failed_total", "Attempts without an answer."),
		Duration: e.histogram("rpc_client_attempt_duration_seconds",
			"Time that attempts took, failed ones included."),
	})
}

// Server is the option of all transport.Servers, which are counted together.
func (e *Exporter) Server() transport.ServerOption {
	return transport.ServerInstrumenting(transport.ServerMetrics{
		InFlight: e.gauge("rpc_server_calls_in_flight", "Connections whose reply is under way."),
		Accepted: e.counter("rpc_server_connections_accepted_total",
			"Connections, with those that were turned away or had no TLS handshake."),
		TurnedAway: e.counter("rpc_server_connections_turned_away_total",
			"Connections above the limits."),
		HandshakeFailed: e.counter("rpc_server_tls_handshakes_failed_total",
			"Connections without a TLS handshake."),
		Failed: e.counter("rpc_server_calls_failed_total",
			"Calls without a whole reply."),
		Duration: e.histogram("rpc_server_call_duration_seconds",
			"Time from the start of serving to the end of the reply."),
	})
}

func (e *Exporter) counter(name, help string, labels ...string) metrics.Counter {
	if e == nil {
		return nil
	}
	opts := prometheus.CounterOpts{Name: name, Help: help}
	return newCounter(register(e, prometheus.NewCounterVec(opts, labels)))
}

func (e *Exporter) gauge(name, help string, labels ...string) metrics.Gauge {
	if e == nil {
		return nil
	}
	opts := prometheus.GaugeOpts{Name: name, Help: help}
	return newGauge(register(e, prometheus.NewGaugeVec(opts, labels)))
}

func (e *Exporter) histogram(name, help string) metrics.Histogram {
	if e == nil {
		return nil
	}
	opts := prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets()}
	return histogram{register(e, prometheus.NewHistogram(opts))}
}

// counterOf and gaugeOf have the label registry first, with its value.
func (e *Exporter) counterOf(registry, name, help string) metrics.Counter {
	if e == nil {
		return nil
	}
	return e.counter(name, help, "registry").With("registry", registry)
}

func (e *Exporter) gaugeOf(registry, name, help string, labels ...string) metrics.Gauge {
	if e == nil {
		return nil
	}
	g := e.gauge(name, help, append([]string{"registry"}, labels...)...)
	return g.With("registry", registry)
}
