package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/daytime/cmd/internal/probe"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd/policy"
	"example.com/daytime/transport"
)

// A row is one server of a list: what it says of itself, and what the policy makes of it.
type row struct {
	policy.Entry
	effective policy.Effective
	drain     policy.Rule   // that drains it, if one does
	check     *probe.Answer // nil without --check
}

// rows is the whole set, sorted, as the policy treats it now.
func (r *registry) rows() []row { return rowsOf(r.Policy().Document, r.Entries(), time.Now()) }

// rowsOf are entries as a policy treats them at now.
func rowsOf(document policy.Document, entries []policy.Entry, now time.Time) (rows []row) {
	compiled := document.Compile(now)
	for _, e := range entries {
		row := row{Entry: e, effective: compiled.Effective(e)}
		for _, verb := range []policy.Verb{policy.Withdraw, policy.Drain} {
			if rule, ok := compiled.Deciding(e, verb); ok {
				row.drain = rule
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// maxChecking is how many servers are asked at a time.
const maxChecking = 50

// checkRows has every server checked.
func checkRows(ctx context.Context, rows []row, options []transport.ClientOption) {
	var instances []string
	for _, r := range rows {
		instances = append(instances, r.Instance)
	}
	checks := probe.All(ctx, instances, maxChecking, options...)
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
	case c.list.output == "table" || c.list.output == "wide":
		b.WriteString(shell.Table(tableOf(rows, c.list.output == "wide"), stdio.OutWidth()))
	default:
		for _, r := range rows {
			b.WriteString(r.Instance + "\n")
		}
	}
	return put(stdio.Out, b.String())
}

// tableOf has the columns of -o table, or those of -o wide.
func tableOf(rows []row, wide bool) (columns []shell.Column) {
	add := func(head string, spare int, cell func(row) string) {
		column := shell.Column{Head: head, Spare: spare, Left: true}
		for _, r := range rows {
			column.Cells = append(column.Cells, cmp.Or(transport.Printable(cell(r)), "-"))
		}
		columns = append(columns, column)
	}
	add("server", 0, func(r row) string { return r.Instance })
	add("weight", 2, func(r row) string { return strconv.Itoa(r.effective.Weight) })
	add("zone", 3, func(r row) string { return r.effective.Zone })
	add("drained", 1, row.drained)
	if wide {
		add("until", 6, func(r row) string { return stamp(r.drain.Until) })
		add("by", 5, func(r row) string { return r.drain.By })
		add("reason", 4, func(r row) string { return r.drain.Reason })
		add("tags", 8, func(r row) string { return tagsText(r.Attributes.Tags) })
		add("since", 7, func(r row) string { return stamp(r.Attributes.Since) })
	}
	if rows[0].check != nil {
		add("answers", 0, func(r row) string { return answers(r.check.Err) })
		add("latency", 1, func(r row) string { return latency(r.check.Took) })
		add("clock", 1, func(r row) string { return r.check.Clock.String() })
	}
	return columns
}

// answers is whether a server answers, in a word or the reason.
func answers(err error) string {
	if err == nil {
		return "yes"
	}
	return cmp.Or(probe.Kind(err), "other")
}

// drained is by which kind of line a server is drained, or nothing.
func (r row) drained() string {
	if !r.effective.Drained {
		return ""
	}
	return r.drain.Verb.String()
}

// stamp is a time for a person and for a program, empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func tagsText(tags map[string]string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		parts = append(parts, key+"="+tags[key])
	}
	return strings.Join(parts, ",")
}

// rowObject is a row in JSON. Every key is always there, check with --check.
type rowObject struct {
	Instance        string            `json:"instance"`
	Weight          int               `json:"weight"`           // of its own
	EffectiveWeight int               `json:"effective_weight"` // by the policy
	Zone            string            `json:"zone"`             // by the policy
	Tags            map[string]string `json:"tags"`
	Since           string            `json:"since"` // RFC 3339; empty if it is unknown
	Drained         bool              `json:"drained"`
	Reason          string            `json:"reason"`
	Until           string            `json:"until"`
	Check           *checkObject      `json:"check,omitempty"`
}

type checkObject struct {
	Reachable bool     `json:"reachable"`
	Error     string   `json:"error"`
	MS        float64  `json:"ms"`
	OffsetMS  *float64 `json:"offset_ms"` // null if its time is not understood
	BoundMS   *float64 `json:"offset_bound_ms"`
}

// json is r as an object on one line.
func (r row) json() (string, error) {
	object := rowObject{
		Instance:        r.Instance,
		Weight:          r.Attributes.EffectiveWeight(),
		EffectiveWeight: r.effective.Weight,
		Zone:            r.effective.Zone,
		Tags:            r.Attributes.Tags,
		Since:           stamp(r.Attributes.Since),
		Drained:         r.effective.Drained,
		Reason:          r.drain.Reason,
		Until:           stamp(r.drain.Until),
	}
	if object.Tags == nil {
		object.Tags = map[string]string{}
	}
	if k := r.check; k != nil {
		object.Check = &checkObject{k.Err == nil, errorText(k.Err), milliseconds(k.Took), nil, nil}
		if k.Clock.Known {
			offset, bound := milliseconds(k.Clock.Offset), milliseconds(k.Clock.Bound)
			object.Check.OffsetMS, object.Check.BoundMS = &offset, &bound
		}
	}
	return jsonLine(object)
}
