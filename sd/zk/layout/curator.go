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
// left out. The metadata of Spring Cloud's payload are tags, except weight and zone, which mean the
// same here; a payload of another form says nothing.
func Curator() Layout { return Layout{"curator", true, readCurator} }

func readCurator(_ string, data []byte) (e policy.Entry, err error) {
	var d struct {
		Address string          `json:"address"`
		Port    *int            `json:"port"`
		SSLPort *int            `json:"sslPort"`
		Since   optional[int64] `json:"registrationTimeUTC"`
		Enabled *bool           `json:"enabled"`
		Payload optional[struct {
			Metadata texts `json:"metadata"`
		}] `json:"payload"`
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
	e.Attributes.Since = since(d.Since.value)
	return e, readMetadata(&e.Attributes, d.Payload.value.Metadata.value)
}

// readMetadata takes in what Spring Cloud's payload holds.
func readMetadata(a *policy.Attributes, metadata map[string]optional[string]) error {
	for key, text := range metadata {
		switch value := text.value; key {
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
