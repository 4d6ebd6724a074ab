package telemetry

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"example.com/daytime/sd"
)

// An Exporter has the metrics of one program. A nil Exporter has none: its options change nothing.
// Its methods may be called concurrently and again; what is asked for twice reports to the same
// series.
type Exporter struct {
	registry  *prometheus.Registry
	registrar func() sd.RegistrarOption // the only one
}

// New returns an Exporter with the metrics of the process, of the Go runtime and of the build:
// build_info, which is 1, has the labels program, version and commit.
func New(program string) *Exporter {
	e := newExporter()
	e.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newBuildInfo(program),
	)
	return e
}

// newExporter returns one without metrics.
func newExporter() *Exporter {
	e := &Exporter{registry: prometheus.NewRegistry()}
	e.registrar = sync.OnceValue(e.newRegistrar)
	return e
}

// newBuildInfo shows what the Go command has written into the program. Both are empty where it
// has not.
func newBuildInfo(program string) prometheus.Collector {
	labels := prometheus.Labels{"program": program, "version": "", "commit": ""}
	if info, ok := debug.ReadBuildInfo(); ok {
		labels["version"] = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				labels["commit"] = s.Value
			}
		}
	}
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "build_info",
		Help:        "The build of this program; always 1.",
		ConstLabels: labels,
	}, func() float64 { return 1 })
}

// Handler answers each request with all metrics, in Prometheus' text format. It asks nobody else:
// it answers whatever the state of a registry.
func (e *Exporter) Handler() http.Handler {
	if e == nil {
		return http.NotFoundHandler()
	}
	return promhttp.HandlerFor(e.registry, promhttp.HandlerOpts{Registry: e.registry})
}

// register adds c, unless the same is there already, and returns what is there.
func register[C prometheus.Collector](e *Exporter, c C) C {
	err := e.registry.Register(c)
	var there prometheus.AlreadyRegisteredError
	switch {
	case errors.As(err, &there):
		return there.ExistingCollector.(C)
	case err != nil: // two of one name that differ: a mistake in bind.go
		panic(fmt.Sprintf("telemetry: %v", err))
	}
	return c
}
