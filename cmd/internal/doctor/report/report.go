// Package report is the result of an examination: what was found, in what order it is told, and the
// text for a person. It knows nothing of what is examined.
//
//	var r report.Report
//	r.Error("member", "192.0.2.1:2181", "start it", "connection refused")
//	fmt.Print(r.Text(80, false))
//
// A finding belongs to a check, and a check to an area. What stands in a finding may have come from
// strangers: it is made printable when it is noted.
package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/daytime/transport"
)

// A Severity says what a Finding means.
type Severity string

// The severities. The latter two are no problems.
const (
	Error     Severity = "error"
	Warning   Severity = "warning"
	Unchecked Severity = "unchecked"
	OK        Severity = "ok"
)

// rank is the order in which severities are told.
func (s Severity) rank() int { return slices.Index([]Severity{Error, Warning, Unchecked, OK}, s) }

// An area is a part of what is examined.
type area string

// The areas, in the order in which they are told.
const (
	registry  area = "registry"
	directory area = "directory"
	servers   area = "servers"
)

func areas() []area { return []area{registry, directory, servers} }

// areaOf is the area of a check, or of a list of checks by its first.
func areaOf(check string) area {
	first, _, _ := strings.Cut(check, ",")
	switch first {
	case "member", "ensemble", "lag", "session", "latency", "time", "tls":
		return registry
	case "directory", "acl", "credentials", "policy":
		return directory
	}
	return servers
}

// A Finding is one thing that was found.
type Finding struct {
	Severity Severity `json:"severity"`
	Registry string   `json:"registry"` // the target
	Area     area     `json:"area"`     // registry, directory or servers
	Check    string   `json:"check"`    // such as clock
	Subject  string   `json:"subject"`  // an address, a name, a path; may be empty
	Problem  string   `json:"problem"`  // what is so, and why it matters
	Advice   string   `json:"advice"`   // what to do; empty where nothing is to be done
}

// A Report is the findings of one registry.
type Report struct {
	Registry string
	Findings []Finding
	Servers  int  // that were examined
	Strict   bool // a warning is wrong, too
	Took     time.Duration
}

// Note adds a finding.
func (r *Report) Note(s Severity, check, subject, advice, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{s, r.Registry, areaOf(check), check,
		transport.Printable(subject), transport.Printable(fmt.Sprintf(format, args...)),
		transport.Printable(advice)})
}

// Error notes what fails calls or registrations, or will.
func (r *Report) Error(check, subject, advice, format string, args ...any) {
	r.Note(Error, check, subject, advice, format, args...)
}

// Warn notes a risk, which somebody may have chosen.
func (r *Report) Warn(check, subject, advice, format string, args ...any) {
	r.Note(Warning, check, subject, advice, format, args...)
}

// Fine notes what is well.
func (r *Report) Fine(check, subject, format string, args ...any) {
	r.Note(OK, check, subject, "", format, args...)
}

// Unchecked notes checks, with commas between, that were not made, and why.
func (r *Report) Unchecked(checks, why string) { r.Note(Unchecked, checks, "", "", "%s", why) }

// Sort puts the findings in the order in which they are told: by area, and errors first.
func (r *Report) Sort() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(slices.Index(areas(), a.Area), slices.Index(areas(), b.Area)),
			cmp.Compare(a.Severity.rank(), b.Severity.rank()))
	})
}

// Count is how many findings have a severity.
func (r Report) Count(s Severity) (n int) {
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// Has reports whether a check has an error or a warning.
func (r Report) Has(check string) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool {
		return f.Check == check && (f.Severity == Error || f.Severity == Warning)
	})
}

// Failed reports whether something is wrong: an error, or, if it is Strict, a warning.
func (r Report) Failed() bool {
	return r.Count(Error) > 0 || r.Strict && r.Count(Warning) > 0
}
