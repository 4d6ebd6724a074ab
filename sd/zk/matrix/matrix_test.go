package matrix

import (
	"testing"
)

// TestMatrix runs the rows. Those that break only a fleet of their own run side by side, on one
// ensemble; then come, one after the other, those that load or break the ensemble.
func TestMatrix(t *testing.T) {
	if !*runMatrix {
		t.Skip("takes a minute and a half: needs -matrix")
	}
	runRows(t, newRig(t, &report{}))
}

// TestSteeredMatrix runs rows on fleets with a policy: those in which servers, their nodes or the
// data go and come back, or with -matrix.all all that TestMatrix has.
func TestSteeredMatrix(t *testing.T) {
	if !*runSteered {
		t.Skip("takes three quarters of a minute: needs -matrix.policy")
	}
	r := newRig(t, &report{})
	r.steered = true
	if *runAll {
		runRows(t, r)
		return
	}
	t.Run("servers", func(t *testing.T) {
		aside(t, "kill", func(t *testing.T) { killRows(t, r) })
		aside(t, "network", func(t *testing.T) { networkRows(t, r) })
		aside(t, "directory", func(t *testing.T) { directoryRows(t, r) })
		aside(t, "calls", func(t *testing.T) { callRows(t, r) })
	})
	t.Run("garbage", func(t *testing.T) { garbageRow(t, r) })
	t.Run("ensemble", func(t *testing.T) { outageRows(newFleet(t, r, "ensemble", plan{})) })
	t.Logf("load average %s\n%s", loadAverage(), r.report.table())
}

func runRows(t *testing.T, r *rig) {
	before := currentUsage()
	t.Run("servers", func(t *testing.T) { serverRows(t, r) })
	settled(t, before)
	t.Run("garbage", func(t *testing.T) { garbageRow(t, r) })
	settled(t, before)
	t.Run("leader", func(t *testing.T) { leaderRow(t, r) })
	settled(t, before)
	t.Run("ensemble", func(t *testing.T) { ensembleRows(t, r) })
	settled(t, before)
	t.Run("lives", func(t *testing.T) { livesRow(t, r) })
	settled(t, before)
	t.Logf("load average %s\n%s", loadAverage(), r.report.table())
}

// aside runs a test beside others like it.
func aside(t *testing.T, name string, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		test(t)
	})
}

// serverRows are those that break a fleet, or its way to ZooKeeper.
func serverRows(t *testing.T, r *rig) {
	aside(t, "kill", func(t *testing.T) { killRows(t, r) })
	aside(t, "stop", func(t *testing.T) { stopRows(t, r) })
	aside(t, "network", func(t *testing.T) { networkRows(t, r) })
	aside(t, "bytes", func(t *testing.T) { bytesRow(t, r) })
	aside(t, "directory", func(t *testing.T) { directoryRows(t, r) })
	aside(t, "chaos", func(t *testing.T) { chaosRows(t, r) })
	aside(t, "calls", func(t *testing.T) { callRows(t, r) })
	aside(t, "slow", func(t *testing.T) { slowRow(t, r) })
}

// TestGhosts is the long form of F2.
func TestGhosts(t *testing.T) {
	if !*runGhosts {
		t.Skip("needs -matrix.ghosts")
	}
	report := &report{}
	ghostsRow(t, newRig(t, report))
	t.Logf("load average %s\n%s", loadAverage(), report.table())
}
