package telemetry

import (
	"testing"

	"github.com/go-kit/kit/metrics/prometheus"
	kitlog "github.com/go-kit/log"

	"example.com/daytime/cmd/internal/shelltest"
	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
)

// A program of somebody else's has go-kit's own adapter, which fits as well.
func TestGoKitsAdapter(t *testing.T) {
	e := newExporter()
	vec := e.gauge("sd_state", "", "phase").(gauge).vec
	backend := mem.NewRegistry().Open()
	defer backend.Close()
	instancer := sd.NewInstancer(backend, kitlog.NewNopLogger(),
		sd.InstancerInstruments(sd.InstancerMetrics{State: prometheus.NewGauge(vec)}))
	defer instancer.Stop()
	shelltest.Eventually(t, func() error {
		want := []string{
			`sd_state{phase="live"} 1`, `sd_state{phase="stale"} 0`, `sd_state{phase="unknown"} 0`,
		}
		return sameStrings(want, samplesOf(e, "sd_state"))
	})
}
