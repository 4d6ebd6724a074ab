// Package export writes the list of servers in the forms of other programs: file_sd documents of
// Prometheus, server lines of HAProxy. A File keeps such a text up to date, in one step for its
// readers, and has a command run after each change.
//
// The texts are functions of the list alone, in a fixed order, so that an unchanged list is an
// unchanged text.
package export

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"example.com/daytime/sd/policy"
)

// A Server is one of the list, as the policy treats it.
type Server struct {
	Instance string // a canonical ip:port
	Weight   int    // 0 to 1000; 100 is the default
	Zone     string
	Tags     map[string]string
	Drained  bool
}

// A Format makes a text of servers, which are in the order of their names.
type Format func(servers []Server) (string, error)

// Prometheus is a document for file_sd_configs
// (https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config): a
// group for each server, whose labels are __meta_daytime_zone, __meta_daytime_drained and one
// __meta_daytime_tag_KEY for each tag, with _ for what a label cannot have. Of tags that come to
// one label, such as a-b and a.b, it has the value of the first in the order of their bytes.
// Drained servers are targets like the others: they are still to be watched.
func Prometheus(servers []Server) (string, error) {
	type group struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	groups := []group{}
	for _, s := range servers {
		labels := map[string]string{
			"__meta_daytime_zone":    s.Zone,
			"__meta_daytime_drained": strconv.FormatBool(s.Drained),
		}
		for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
			label := "__meta_daytime_tag_" + labelName(key)
			if _, taken := labels[label]; !taken {
				labels[label] = s.Tags[key]
			}
		}
		groups = append(groups, group{[]string{s.Instance}, labels})
	}
	text, err := json.MarshalIndent(groups, "", "  ")
	return string(text) + "\n", err
}

// labelName is key in the characters of a label of Prometheus.
func labelName(key string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, key)
}

// HAProxy returns a Format of server lines, each with the parameters, such as "check", behind the
// address. With a name for the backend the section's own line stands before them, so that the text
// is a file for haproxy -f; without one it is for the middle of a section. A line has a weight
// where the weights differ; that of a drained server is 0, which lets its connections end. Drains
// and weights are suspended where clients suspend them (see [policy.Levels]), so that there is
// always one of a weight above 0.
func HAProxy(backend, parameters string) Format {
	return func(servers []Server) (string, error) {
		var b strings.Builder
		if backend != "" {
			fmt.Fprintf(&b, "backend %s\n", backend)
		}
		weights := haproxyWeights(servers)
		for i, s := range servers {
			name, err := haproxyName(s.Instance)
			if err != nil {
				return "", err
			}
			words := []string{"    server", name, s.Instance}
			if parameters != "" {
				words = append(words, parameters)
			}
			if weights != nil {
				words = append(words, "weight", strconv.Itoa(weights[i]))
			}
			b.WriteString(strings.Join(words, " ") + "\n")
		}
		return b.String(), nil
	}
}

// maxHAProxyWeight is the greatest that HAProxy takes.
const maxHAProxyWeight = 256

// haproxyWeights returns the weights in proportion to those that clients go by, nil if they are all
// alike.
func haproxyWeights(servers []Server) []int {
	fleet := make([]policy.Effective, len(servers))
	for i, s := range servers {
		fleet[i] = policy.Effective{Weight: s.Weight, Drained: s.Drained}
	}
	weights, _ := policy.Levels(fleet)
	most, alike := 1, true
	for _, weight := range weights {
		most = max(most, weight)
		alike = alike && weight == weights[0]
	}
	if alike {
		return nil
	}
	if most > maxHAProxyWeight {
		for i, weight := range weights {
			weights[i] = (weight*maxHAProxyWeight + most - 1) / most // none becomes 0
		}
	}
	return weights
}

// haproxyName is an address in the characters that HAProxy allows in a name: no brackets.
func haproxyName(instance string) (string, error) {
	ap, err := netip.ParseAddrPort(instance)
	if err != nil {
		return "", fmt.Errorf("export: instance %.64q: want an ip:port", instance)
	}
	return fmt.Sprintf("%s:%d", ap.Addr(), ap.Port()), nil
}

// CheckName returns nil if name can be that of a backend of HAProxy.
func CheckName(name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:"
	if name == "" || strings.Trim(name, allowed) != "" {
		return fmt.Errorf("%.64q: want letters, digits, -, _, : and . alone", name)
	}
	return nil
}

// CheckParameters returns nil if text can stand behind an address in a line of HAProxy.
func CheckParameters(text string) error {
	if strings.ContainsAny(text, "\n\r\x00#") {
		return fmt.Errorf("%.64q: want one line, without comment", text)
	}
	return nil
}
