package layout

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"example.com/daytime/sd/policy"
)

// ServerSet is that of Twitter's commons, which Finagle and Aurora write. Only those that are ALIVE
// may be called. The shard and the metadata are tags.
func ServerSet() Layout { return Layout{"serverset", true, readMember} }

func readMember(name string, data []byte) (e policy.Entry, err error) {
	if !strings.HasPrefix(name, "member_") {
		return e, fmt.Errorf("%w: no member", ErrNobody)
	}
	var d struct {
		Endpoint *struct {
			Host string `json:"host"`
			Port int    `json:"port"`
		} `json:"serviceEndpoint"`
		Status   string         `json:"status"`
		Shard    optional[*int] `json:"shard"`
		Metadata texts          `json:"metadata"`
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return e, fmt.Errorf("want a JSON object: %w", err)
	}
	switch {
	case d.Status != "" && d.Status != "ALIVE":
		return e, fmt.Errorf("%w: status %.64q", ErrNobody, d.Status)
	case d.Endpoint == nil:
		return e, errors.New("no serviceEndpoint")
	}
	if e.Instance, err = instance(d.Endpoint.Host, d.Endpoint.Port); err != nil {
		return e, err
	}
	for key, text := range d.Metadata.value {
		tag(&e.Attributes, key, text.value)
	}
	if shard := d.Shard.value; shard != nil && *shard >= 0 {
		tag(&e.Attributes, "shard", strconv.Itoa(*shard))
	}
	return e, nil
}
