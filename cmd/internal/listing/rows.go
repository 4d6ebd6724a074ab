// Package listing shows who is registered: a line or an object a server, as the policy treats it,
// and a line for each change.
//
//	rows := listing.Rows(document, entries, time.Now())
//	text, err := listing.Text(rows, "table", 80)
//
// What a server says of itself is untrusted: it is made printable.
package listing

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/daytime/cmd/internal/load"
	"example.com/daytime/cmd/internal/probe"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd/policy"
	"example.com/daytime/transport"
)

// A Row is one server of a list: what it says of itself, and what the policy makes of it.
type Row struct {
	policy.Entry
	Effective policy.Effective
	Drain     policy.Rule   // that drains it, if one does
	Share     string        // of the calls, that of its side in words; empty where none are split
	Spared    bool          // that share is 0 %
	Check     *probe.Answer // nil if it was not asked

	Registries []string // that list it, if several were asked
}

// A Source is what one registry says.
type Source struct {
	Registry string
	Document policy.Document // its policy
	Entries  []policy.Entry
}

// Merged are the rows of several registries, as sd.Join joins them: each server once, with the
// attributes of the first that has it, drained if one drains it, and with its share by the first that
// splits the calls: who is not there is of the rest.
func Merged(sources []Source, now time.Time) (rows []Row) {
	at, sides, side := map[string]int{}, []policy.Side(nil), map[string]int{}
	for _, s := range sources {
		own := s.Document.Compile(now).Sides()
		splits := sides == nil && len(own) > 1
		if splits {
			sides = own
		}
		for _, r := range Rows(s.Document, s.Entries, now) {
			i, known := at[r.Instance]
			if !known {
				i = len(rows)
				at[r.Instance] = i
				rows = append(rows, r)
			}
			rows[i].add(r, s.Registry)
			if splits {
				side[r.Instance] = r.Effective.Side
			}
		}
	}
	for i := range rows {
		rows[i].Effective.Side = side[rows[i].Instance]
		rows[i].split(sides)
	}
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.Instance, b.Instance) })
	return rows
}

// add takes in what another registry says of the same server.
func (r *Row) add(other Row, registry string) {
	if !r.Effective.Drained {
		r.Drain = other.Drain
	}
	r.Effective = r.Effective.Beside(other.Effective)
	r.Registries = append(r.Registries, registry)
}

// Rows are entries as a policy treats them at now.
func Rows(document policy.Document, entries []policy.Entry, now time.Time) (rows []Row) {
	compiled := document.Compile(now)
	for _, e := range entries {
		row := Row{Entry: e, Effective: compiled.Effective(e)}
		row.split(compiled.Sides())
		for _, verb := range []policy.Verb{policy.Withdraw, policy.Drain} {
			if rule, ok := compiled.Deciding(e, verb); ok {
				row.Drain = rule
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// split takes over which part of the calls the side of r gets, if they are split.
func (r *Row) split(sides []policy.Side) {
	r.Share, r.Spared = "", false
	if len(sides) > 1 {
		side := sides[r.Effective.Side]
		r.Share, r.Spared = side.String(), side.Share == 0
	}
}

// maxChecking is how many servers are asked at a time.
const maxChecking = 50

// Check has every server asked.
func Check(ctx context.Context, rows []Row, options []transport.ClientOption) {
	var instances []string
	for _, r := range rows {
		instances = append(instances, r.Instance)
	}
	checks := probe.All(ctx, instances, maxChecking, options...)
	for i := range rows {
		rows[i].Check = &checks[i]
	}
}

// Text is a list in one of the forms name, table, wide and json, at most width columns wide; 0 is
// no limit. An empty list is an empty text.
func Text(rows []Row, form string, width int) (string, error) {
	var b strings.Builder
	switch {
	case len(rows) == 0:
	case form == "json":
		for _, r := range rows {
			line, err := r.json()
			if err != nil {
				return "", err
			}
			b.WriteString(line)
		}
	case form == "table" || form == "wide":
		b.WriteString(shell.Table(tableOf(rows, form == "wide"), width))
	default:
		for _, r := range rows {
			b.WriteString(r.Instance + "\n")
		}
	}
	return b.String(), nil
}

// tableOf has the columns of -o table, or those of -o wide.
func tableOf(rows []Row, wide bool) (columns []shell.Column) {
	add := func(head string, spare int, cell func(Row) string) {
		column := shell.Column{Head: head, Spare: spare, Left: true}
		for _, r := range rows {
			column.Cells = append(column.Cells, cmp.Or(transport.Printable(cell(r)), "-"))
		}
		columns = append(columns, column)
	}
	add("server", 0, func(r Row) string { return r.Instance })
	add("weight", 2, func(r Row) string { return strconv.Itoa(r.Effective.Weight) })
	add("zone", 3, func(r Row) string { return r.Effective.Zone })
	add("drained", 1, Row.drained)
	if slices.ContainsFunc(rows, func(r Row) bool { return r.Share != "" }) {
		add("share", 2, func(r Row) string { return r.Share })
	}
	if wide && len(rows[0].Registries) > 0 {
		add("registries", 2, func(r Row) string { return strings.Join(r.Registries, " ") })
	}
	if wide {
		add("until", 6, func(r Row) string { return stamp(r.Drain.Until) })
		add("by", 5, func(r Row) string { return r.Drain.By })
		add("reason", 4, func(r Row) string { return r.Drain.Reason })
		add("tags", 8, func(r Row) string { return tagsText(r.Attributes.Tags) })
		add("since", 7, func(r Row) string { return stamp(r.Attributes.Since) })
	}
	if rows[0].Check != nil {
		add("answers", 0, func(r Row) string { return answers(r.Check.Err) })
		add("latency", 1, func(r Row) string { return load.Latency(r.Check.Took) })
		add("clock", 1, func(r Row) string { return r.Check.Clock.String() })
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
func (r Row) drained() string {
	if !r.Effective.Drained {
		return ""
	}
	return r.Drain.Verb.String()
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

// rowObject is a row in JSON. Every key is always there, check with --check, registries with
// several.
type rowObject struct {
	Instance        string            `json:"instance"`
	Weight          int               `json:"weight"`           // of its own
	EffectiveWeight int               `json:"effective_weight"` // by the policy
	Zone            string            `json:"zone"`             // by the policy
	Tags            map[string]string `json:"tags"`
	Since           string            `json:"since"` // RFC 3339; empty if it is unknown
	Drained         bool              `json:"drained"`
	By              string            `json:"by"` // whom
	Reason          string            `json:"reason"`
	Until           string            `json:"until"`
	Registries      []string          `json:"registries,omitempty"` // that list it, of several
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
func (r Row) json() (string, error) {
	object := rowObject{
		Instance:        r.Instance,
		Weight:          r.Attributes.EffectiveWeight(),
		EffectiveWeight: r.Effective.Weight,
		Zone:            r.Effective.Zone,
		Tags:            r.Attributes.Tags,
		Since:           stamp(r.Attributes.Since),
		Drained:         r.Effective.Drained,
		By:              r.Drain.By,
		Reason:          r.Drain.Reason,
		Until:           stamp(r.Drain.Until),
		Registries:      r.Registries,
	}
	if object.Tags == nil {
		object.Tags = map[string]string{}
	}
	if k := r.Check; k != nil {
		object.Check = &checkObject{k.Err == nil, shell.ErrorText(k.Err),
			shell.Milliseconds(k.Took), nil, nil}
		if k.Clock.Known {
			offset, bound := shell.Milliseconds(k.Clock.Offset), shell.Milliseconds(k.Clock.Bound)
			object.Check.OffsetMS, object.Check.BoundMS = &offset, &bound
		}
	}
	return shell.JSONLine(object)
}

// Together is what clients of several registries make of a server, in words.
func (r Row) Together() string {
	drained := "not drained"
	if r.Effective.Drained {
		drained = "drained"
	}
	return fmt.Sprintf("weight %d, zone %s, %s", r.Effective.Weight,
		cmp.Or(r.Effective.Zone, "none"), drained)
}
