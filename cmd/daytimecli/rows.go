package main

import (
	"context"
	"strings"

	"example.com/daytime/cmd/internal/shell"
)

// A row is one server of a list.
type row struct {
	instance string
	check    *check // nil without --check
}

// checkRows has every server checked.
func (c *config) checkRows(ctx context.Context, rows []row) {
	var instances []string
	for _, r := range rows {
		instances = append(instances, r.instance)
	}
	checks := c.checkAll(ctx, instances)
	for i := range rows {
		rows[i].check = &checks[i]
	}
}

// printRows prints a list in the form of --output.
func (c *config) printRows(stdio *shell.Stdio, rows []row) error {
	var b strings.Builder
	switch {
	case len(rows) == 0:
	case c.list.output == "json":
		for _, r := range rows {
			line, err := r.json()
			if err != nil {
				return err
			}
			b.WriteString(line)
		}
	case c.list.output == "table":
		b.WriteString(shell.Table(tableOf(rows), stdio.OutWidth()))
	default:
		for _, r := range rows {
			b.WriteString(r.instance + "\n")
		}
	}
	return put(stdio.Out, b.String())
}

func tableOf(rows []row) []shell.Column {
	cells := func(cell func(row) string) (cells []string) {
		for _, r := range rows {
			cells = append(cells, cell(r))
		}
		return cells
	}
	columns := []shell.Column{{Head: "server", Cells: cells(func(r row) string { return r.instance })}}
	if rows[0].check != nil {
		answers := cells(func(r row) string { return r.check.state() })
		latencies := cells(func(r row) string { return latency(r.check.took) })
		clocks := cells(func(r row) string { return r.check.clockText() })
		columns = append(columns, shell.Column{Head: "answers", Cells: answers},
			shell.Column{Head: "latency", Spare: 2, Cells: latencies},
			shell.Column{Head: "clock", Spare: 1, Cells: clocks})
	}
	return columns
}

// json is r as an object on one line. Without --check there is no key of that name.
func (r row) json() (string, error) {
	type checkObject struct {
		Reachable bool     `json:"reachable"`
		Error     string   `json:"error"`
		MS        float64  `json:"ms"`
		OffsetMS  *float64 `json:"offset_ms"` // null if its time is not understood
		BoundMS   *float64 `json:"offset_bound_ms"`
	}
	object := struct {
		Instance string       `json:"instance"`
		Check    *checkObject `json:"check,omitempty"`
	}{Instance: r.instance}
	if k := r.check; k != nil {
		object.Check = &checkObject{k.err == nil, errorText(k.err), milliseconds(k.took), nil, nil}
		if k.clock {
			offset, bound := milliseconds(k.offset), milliseconds(k.bound)
			object.Check.OffsetMS, object.Check.BoundMS = &offset, &bound
		}
	}
	return jsonLine(object)
}
