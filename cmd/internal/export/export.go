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
	"net/netip"
	"slices"
	"strings"
)

// A Format makes a text of addresses, each a canonical ip:port.
type Format func(instances []string) (string, error)

// Prometheus is a document for file_sd_configs
// (https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config): one
// group with all addresses as its targets, or no group if there is none.
func Prometheus(instances []string) (string, error) {
	type group struct {
		Targets []string `json:"targets"`
	}
	groups := []group{}
	if len(instances) > 0 {
		groups = append(groups, group{slices.Sorted(slices.Values(instances))})
	}
	text, err := json.MarshalIndent(groups, "", "  ")
	return string(text) + "\n", err
}

// HAProxy returns a Format of server lines, each with the parameters, such as "check", behind the
// address. With a name for the backend the section's own line stands before them, so that the text
// is a file for haproxy -f; without one it is for the middle of a section.
func HAProxy(backend, parameters string) Format {
	return func(instances []string) (string, error) {
		var b strings.Builder
		if backend != "" {
			fmt.Fprintf(&b, "backend %s\n", backend)
		}
		for _, instance := range slices.Sorted(slices.Values(instances)) {
			name, err := haproxyName(instance)
			if err != nil {
				return "", err
			}
			b.WriteString(strings.TrimRight("    server "+name+" "+instance+" "+parameters, " ") + "\n")
		}
		return b.String(), nil
	}
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
		return fmt.Errorf("name %.64q: want letters, digits, -, _, : and . alone", name)
	}
	return nil
}

// CheckParameters returns nil if text can stand behind an address in a line of HAProxy.
func CheckParameters(text string) error {
	if strings.ContainsAny(text, "\n\r\x00#") {
		return fmt.Errorf("parameters %.64q: want one line, without comment", text)
	}
	return nil
}
