package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/transport"
)

// The states of the process.
const (
	starting    = "starting"
	ready       = "ready"
	withdrawing = "withdrawing"
)

// status is the state of the process.
func (s *Server) status() string {
	if s.ctx.Err() != nil {
		return withdrawing
	}
	return s.stage.Load().(string)
}

// livez says that the process answers.
func (s *Server) livez(w http.ResponseWriter, r *http.Request) {
	if prefersJSON(r.Header.Get("Accept")) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "alive"})
		return
	}
	writeText(w, http.StatusOK, "alive\n")
}

// readyz says whether the process serves, and reports its registrations, which do not decide it.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	view := s.shown.Load().view
	if !view.serves() {
		http.NotFound(w, r)
		return
	}
	status, code := s.status(), http.StatusServiceUnavailable
	if status == ready {
		code = http.StatusOK
	}
	report := readiness{status, []registration{}}
	for _, l := range view.listeners() {
		for _, r := range l.Registrations {
			report.Registrations = append(report.Registrations, newRegistration(l.Instance, r))
		}
	}
	if prefersJSON(r.Header.Get("Accept")) {
		writeJSON(w, code, report)
		return
	}
	writeText(w, code, report.String())
}

// A readiness is the body of /readyz.
type readiness struct {
	Status        string         `json:"status"` // starting, ready or withdrawing
	Registrations []registration `json:"registrations"`
}

type registration struct {
	Instance string    `json:"instance"`
	Registry string    `json:"registry"`
	Phase    sd.Phase  `json:"phase"`
	Since    time.Time `json:"since"`
	Error    string    `json:"error"` // empty for none
}

func newRegistration(instance string, r Registration) registration {
	return registration{instance, r.Registry, r.State.Phase,
		r.State.Since.UTC().Truncate(time.Millisecond), errorText(r.State.Err)}
}

// String is the report for a person: the status, and a line for each registration.
func (r readiness) String() string {
	var b strings.Builder
	fmt.Fprintln(&b, r.Status)
	for _, r := range r.Registrations {
		fmt.Fprintf(&b, "%s %s since %s (%s) in %s", r.Instance, r.Phase,
			r.Since.Format(time.RFC3339), time.Since(r.Since).Round(time.Second), r.Registry)
		if r.Error != "" {
			fmt.Fprintf(&b, ": %s", r.Error)
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

// errorText is an error as it may be shown: parts of it come from a registry.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return transport.Printable(err.Error())
}

// prefersJSON reports whether an Accept header wants JSON rather than text (RFC 9110, section
// 12.5.1). One that says nothing of JSON by name does not.
func prefersJSON(accept string) bool {
	var jsonQuality, textQuality float64
	for part := range strings.SplitSeq(accept, ",") {
		kind, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		quality := 1.0
		if q, ok := parameters["q"]; ok {
			quality, _ = strconv.ParseFloat(q, 64) // what is no number is 0, not wanted
		}
		switch kind {
		case "application/json":
			jsonQuality = max(jsonQuality, quality)
		case "text/plain", "text/*":
			textQuality = max(textQuality, quality)
		}
	}
	return jsonQuality > 0 && jsonQuality >= textQuality
}

func writeText(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	io.WriteString(w, text) // an error is the peer's, which has gone
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	text, err := json.Marshal(v)
	if err != nil { // no value here has what JSON lacks
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(append(text, '\n'))
}
