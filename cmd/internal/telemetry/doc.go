// Package telemetry binds the instruments of packages sd, lb and transport to Prometheus.
//
//	exporter := telemetry.New("daytimecli")
//	instancer := sd.NewInstancer(backend, logger, exporter.Instancer(""))
//	pool := lb.NewPool(instancer, transport.Factory(exporter.Client()), logger, exporter.Pool())
//	http.Handle("/metrics", exporter.Handler())
//
// An [Exporter] has a registry of its own, and shows the Go runtime, the process and the build
// beside the instruments that were asked for. Each is there from the start, with all values of its
// labels, so that a rule over one never meets a series that is missing. No label names an instance:
// in a fleet of ten thousand that is ten thousand series for each client.
//
// A program that knows several registries gives each of them a name: the label "registry" of what
// an Instancer or a registry reports. It is empty for the only one and for the union of several,
// which to Prometheus is the same as no label, so that rules select what clients have in common by
// registry="".
//
// Calls are rpc_client_call_duration_seconds and rpc_server_call_duration_seconds, in the buckets
// of OpenTelemetry's semantic conventions for RPC. A call through lb.Retry is one, whatever its
// attempts; the attempts are rpc_client_attempt_duration_seconds.
//
// What to be told of stands in rules.yml, a file of Prometheus' rules, whose tests are in testdata.
//
// exporter.go has the Exporter, bind.go the metrics, and adapter.go puts Prometheus behind go-kit's
// interfaces. go-kit's own adapter makes a map and looks the series up at each call; this one does
// that once, when the last label is known, and a call is then Prometheus' own, without allocation.
package telemetry
