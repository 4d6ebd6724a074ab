package zktest

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func cfgLines(options ...Option) []string {
	quorum := []ports{{client: 1, secure: 2, peer: 3, election: 4}}
	return strings.Split(newConfig(options).zooCfg("/data", quorum[0], quorum), "\n")
}

func TestZooCfg(t *testing.T) {
	for name, test := range map[string]struct {
		have    []string
		want    []string
		without string // prefix of no line
	}{
		"defaults": {cfgLines(), []string{"dataDir=/data", "clientPort=1", "tickTime=500",
			"maxClientCnxns=0"}, "secure"},
		"tick": {cfgLines(TickTime(time.Second)), []string{"tickTime=1000"}, "tickTime=500"},
		"TLS": {cfgLines(TLS(&PEM{CA: "/ca"})),
			[]string{"secureClientPort=2", "ssl.trustStore.location=/ca"}, "server."},
	} {
		for _, line := range test.want {
			if !slices.Contains(test.have, line) {
				t.Errorf("%s: want line %q in %q", name, line, test.have)
			}
		}
		if slices.ContainsFunc(test.have, func(line string) bool {
			return strings.HasPrefix(line, test.without)
		}) {
			t.Errorf("%s: want no line %q… in %q", name, test.without, test.have)
		}
	}
}

// In a properties file the last line counts.
func TestExtraLinesComeLast(t *testing.T) {
	have := cfgLines(Config("tickTime=1"), TLS(&PEM{}), Config("ssl.clientAuth=none", "x=y"))
	want := []string{"tickTime=1", "ssl.clientAuth=none", "x=y", ""}
	if tail := have[max(0, len(have)-len(want)):]; !slices.Equal(want, tail) {
		t.Errorf("want %q at the end, have %q", want, tail)
	}
}

func TestQuorumLines(t *testing.T) {
	quorum := []ports{{client: 1, peer: 3, election: 4}, {client: 5, peer: 7, election: 8}}
	have := newConfig(nil).zooCfg("/data", quorum[1], quorum)
	for _, want := range []string{"clientPort=5\n", "server.1=127.0.0.1:3:4\n",
		"server.2=127.0.0.1:7:8\n"} {
		if !strings.Contains(have, want) {
			t.Errorf("want %q in %q", want, have)
		}
	}
}

func TestFreePortsDifferAndAvoidEphemerals(t *testing.T) {
	ports, err := freePorts(50)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ports)
	if distinct := len(slices.Compact(slices.Clone(ports))); distinct != 50 {
		t.Errorf("want 50 different ports, have %d", distinct)
	}
	if ports[0] < firstPort || ports[49] >= lastPort {
		t.Errorf("want ports in [%d, %d), have %d to %d", firstPort, lastPort, ports[0], ports[49])
	}
}
