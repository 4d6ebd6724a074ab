package layout

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"example.com/daytime/sd/policy"
)

// Curator is that of Curator's x-discovery (org.apache.curator.x.discovery.ServiceInstance in its
// JSON), which Spring Cloud, Armeria and others write. An instance that is not enabled (which
// Curator's serializer does not write by default), or whose status in Spring Cloud is not UP, is
// left out. The metadata of Spring Cloud's payload are tags,
// except weight and zone, which mean the same here.
func Curator() Layout { return Layout{"curator", true, readCurator} }

func readCurator(_ string, data []byte) (e policy.Entry, err error) {
	var d struct {
		Address string          `json:"address"`
		Port    *int            `json:"port"`
		SSLPort *int            `json:"sslPort"`
		Since   int64           `json:"registrationTimeUTC"`
		Enabled *bool           `json:"enabled"`
		Payload json.RawMessage `json:"payload"` // anything
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return e, fmt.Errorf("want a JSON object: %w", err)
	}
	if d.Enabled != nil && !*d.Enabled {
		return e, fmt.Errorf("%w: not enabled", ErrNobody)
	}
	port := d.Port
	if port == nil || *port <= 0 {
		port = d.SSLPort
	}
	if port == nil {
		return e, errors.New("neither port nor sslPort")
	}
	if e.Instance, err = instance(d.Address, *port); err != nil {
		return e, err
	}
	e.Attributes.Since = since(d.Since)
	return e, readPayload(&e.Attributes, d.Payload)
}

// readPayload takes in the metadata of Spring Cloud. A payload of another form says nothing here.
func readPayload(a *policy.Attributes, payload json.RawMessage) error {
	var p struct {
		Metadata map[string]string `json:"metadata"`
	}
	if json.Unmarshal(payload, &p) != nil {
		return nil
	}
	for key, value := range p.Metadata {
		switch key {
		case "instance_status":
			if value != "UP" && value != "" {
				return fmt.Errorf("%w: status %.64q", ErrNobody, value)
			}
		case "weight":
			if n, err := strconv.Atoi(value); err == nil {
				a.Weight = weight(n)
			}
		case "zone":
			a.Zone = value
		default:
			tag(a, key, value)
		}
	}
	return nil
}
