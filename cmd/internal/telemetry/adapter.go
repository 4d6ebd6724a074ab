package telemetry

import (
	"github.com/go-kit/kit/metrics"
	"github.com/prometheus/client_golang/prometheus"
)

// A counter is one of Prometheus, for go-kit. Until all its labels are known it only takes labels.
type counter struct {
	vec *prometheus.CounterVec
	prometheus.Counter
}

func newCounter(vec *prometheus.CounterVec) counter {
	bound, _ := vec.GetMetricWith(nil) // nil while labels are missing
	return counter{vec, bound}
}

func (c counter) With(labels ...string) metrics.Counter {
	return newCounter(c.vec.MustCurryWith(labelsOf(labels)))
}

// A gauge is one of Prometheus, for go-kit.
type gauge struct {
	vec *prometheus.GaugeVec
	prometheus.Gauge
}

func newGauge(vec *prometheus.GaugeVec) gauge {
	bound, _ := vec.GetMetricWith(nil)
	return gauge{vec, bound}
}

func (g gauge) With(labels ...string) metrics.Gauge {
	return newGauge(g.vec.MustCurryWith(labelsOf(labels)))
}

// A histogram is one of Prometheus, for go-kit. Those of this package have no labels.
type histogram struct{ prometheus.Histogram }

func (h histogram) With(...string) metrics.Histogram { return h }

// labelsOf are go-kit's labels: a name, its value, and so on.
func labelsOf(pairs []string) prometheus.Labels {
	labels := prometheus.Labels{}
	for i := 0; i+1 < len(pairs); i += 2 {
		labels[pairs[i]] = pairs[i+1]
	}
	return labels
}
