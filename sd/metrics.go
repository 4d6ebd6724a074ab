package sd

import (
	"example.com/daytime/sd/internal/instruments"
	"example.com/daytime/sd/internal/statevar"
	"github.com/go-kit/kit/metrics"
)

// InstancerMetrics are the instruments of one Instancer. One that is nil is not used. Each has all
// values of its label from the start. They are set by the goroutine that takes a change in, under
// locks, and must not block. Times are in seconds since 1970.
//
// The hash is equal on all clients that have the same set: one that differs for longer than a
// change takes is blind. It is a whole number below 2^52, the sum modulo 2^52 of a number for each
// name, and so needs no order: FNV-1a in 64 bits; then x ^= x>>30, x *= 0xbf58476d1ce4e5b9,
// x ^= x>>27, x *= 0x94d049bb133111eb, x ^= x>>31, modulo 2^52, and 1 if that is 0. The policy is
// not in it.
type InstancerMetrics struct {
	Instances metrics.Gauge // drained ones included: sd_instances
	SetHash   metrics.Gauge // 0 for no instances, or none known: sd_set_hash
	// 1 for the "phase" it is in and 0 for the others: unknown, live, stale. sd_state.
	State      metrics.Gauge
	StateSince metrics.Gauge // when that began: sd_state_since_timestamp_seconds
	// When the set was last known to be the registry's, 5 s ago at most while it is live; 0: never.
	// sd_last_confirmed_timestamp_seconds.
	LastConfirmed metrics.Gauge

	// These stay 0 without FollowPolicy.
	PolicyVersion metrics.Gauge // in the registry, as it was told last: sd_policy_version
	// 1 while every instance is drained ("verb" drain), or of weight 0 (weight), so that it is
	// ignored. sd_policy_suspended.
	PolicySuspended metrics.Gauge
	// How much of it is not followed, by "kind": line (wrong ones), document (1: all of it, and the
	// last one that could be read stays), attributes (instances whose could not be read).
	// sd_policy_problems.
	PolicyProblems metrics.Gauge
}

// InstancerInstruments has an Instancer report to m, which it shares with no other one. The default
// is nothing.
func InstancerInstruments(m InstancerMetrics) InstancerOption {
	return func(i *Instancer) {
		meters := instruments.NewInstancer(instruments.InstancerMetrics(m))
		i.meters = meters
		i.fanout.KeepHash()
		i.state.Observe(func(s statevar.State[Phase]) { meters.SetState(string(s.Phase), s.Since) })
	}
}

// measurePolicy reports the policy. The caller holds the lock of steering.
func (i *Instancer) measurePolicy() {
	if i.meters != nil {
		_, has := i.backend.(PolicyStore)
		i.meters.SetPolicy(i.steering.evaluator.Measures(has, i.fanout.Tally()))
	}
}

// RegistrarMetrics are the instruments of one or several Registrars. One that is nil is not used.
// Each has all values of the label "phase" from the start, those of a Registrar's State. They must
// not block.
type RegistrarMetrics struct {
	State metrics.Gauge // how many registrations are in that phase: sd_registration_state
	// Since when, in seconds since 1970, the one is in it that has been longest; 0 for none.
	// sd_registration_state_since_timestamp_seconds.
	StateSince metrics.Gauge
}

// RegistrarInstruments has every Registrar that it is given to report to m, from NewRegistrar on.
// They are counted together. The default is nothing.
func RegistrarInstruments(m RegistrarMetrics) RegistrarOption {
	registrations := instruments.NewRegistrations(instruments.RegistrarMetrics(m),
		string(Withdrawn), string(Registering), string(Registered), string(Lost), string(Conflict),
		string(Withheld))
	return func(r *Registrar) {
		var own instruments.Registration
		r.observe = func(s statevar.State[Phase]) {
			registrations.Move(&own, string(s.Phase), s.Since)
		}
	}
}

// BackendMetrics are the instruments of a Backend that has sessions (package zk) or leases (package
// etcd). One that is nil is not used. They must not block.
type BackendMetrics struct {
	SessionExpiries metrics.Counter // those that ended against its will: sd_session_expiries_total
	// Audits that found the set of a Watch to be wrong, and had it read again. sd_repaired_total.
	Repaired metrics.Counter
}
