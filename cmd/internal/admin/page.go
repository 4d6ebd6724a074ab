package admin

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed page.html
var pageText string

//go:embed page.css
var styleText string

//go:embed page.js
var scriptText string

const (
	reloadSeconds = 5       // without JavaScript
	minCompressed = 1 << 10 // bytes of an answer that is compressed
)

// A page is what all pages have in common.
type page struct {
	template *template.Template
	style    template.CSS
	script   template.JS
	policy   string // Content-Security-Policy
	version  string // of the page itself: a script that meets another one loads the page again
}

func newPage() *page {
	text := strings.ReplaceAll(pageText, "\n\t", "") // as page.html says
	return &page{
		template: template.Must(template.New("page").Funcs(words()).Parse(text)),
		style:    template.CSS(styleText),
		script:   template.JS(scriptText),
		policy: ownPolicy + "; connect-src 'self'; img-src 'self'" +
			"; style-src '" + source(styleText) + "'; script-src '" + source(scriptText) + "'",
		version: digest([]byte(pageText + styleText + scriptText)),
	}
}

// source is how a Content-Security-Policy names an inline style or script
// (https://www.w3.org/TR/CSP3/#grammardef-hash-source).
func source(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// digest tells two texts apart.
func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// A section is a part of the page that is updated by itself. One of the parts is set.
type section struct {
	ID   string `json:"-"`
	Hash string `json:"-"` // of the parts; another one means that the section is another

	Status  *statusPart
	Servers *serversPart
	Pool    *poolPart
	Fleet   *fleetPart
}

// A document is what the page's template is given.
type document struct {
	Program  string
	Host     string
	Now      time.Time
	Reload   int
	Version  string
	Style    template.CSS
	Script   template.JS
	Status   string // for the title
	Sections []section
	Links    []string // to the other paths
}

// servePage answers with the whole page.
func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	shown := s.shown.Load()
	looks := shown.look()
	await(r.Context(), looks)
	now := time.Now()
	d := document{Program: s.config.Program, Host: s.host, Now: now, Reload: reloadSeconds,
		Version: s.page.version, Style: s.page.style, Script: s.page.script,
		Sections: s.sections(shown.view, looks, now), Links: s.links(shown.view)}
	d.Status = d.Sections[0].Status.State.Word
	w.Header().Set("Content-Security-Policy", s.page.policy)
	s.render(w, r, "page", d)
}

// serveSections answers with the sections that are others than those that the page has, which it
// names as "have": id:hash, with commas between.
func (s *Server) serveSections(w http.ResponseWriter, r *http.Request) {
	shown := s.shown.Load()
	have := map[string]string{}
	for part := range strings.SplitSeq(r.URL.Query().Get("have"), ",") {
		id, hash, _ := strings.Cut(part, ":")
		have[id] = hash
	}
	var ids []string
	var changed []section
	for _, section := range s.sections(shown.view, shown.look(), time.Now()) {
		ids = append(ids, section.ID)
		if have[section.ID] != section.Hash {
			changed = append(changed, section)
		}
	}
	w.Header().Set("Page-Version", s.page.version)
	w.Header().Set("Page-Sections", strings.Join(ids, ","))
	s.render(w, r, "sections", changed)
}

// sections are those of a view.
func (s *Server) sections(view View, looks []look, now time.Time) (sections []section) {
	listeners := view.listeners()
	mine := map[string]bool{}
	for _, l := range listeners {
		mine[l.Instance] = true
	}
	status := &statusPart{}
	add := func(id string, part section) {
		part.ID = id
		sections = append(sections, part)
	}
	add("status", section{Status: status})
	if view.Listeners != nil {
		add("servers", section{Servers: newServersPart(listeners)})
	}
	if view.Members != nil {
		add("pool", section{Pool: newPoolPart(view.Members())})
	}
	for n, l := range looks {
		part := newFleetPart(l, mine, now, len(looks) > 1)
		add("fleet"+strconv.Itoa(n), section{Fleet: part})
	}
	s.summarize(status, sections)
	for i := range sections {
		sections[i].Hash = hashOf(sections[i])
	}
	return sections
}

// hashOf tells two states of a section apart. What only passes with time, such as "3 min ago", is
// in neither.
func hashOf(s section) string {
	text, err := json.Marshal(s)
	if err != nil { // no part has what JSON lacks
		panic(err)
	}
	return digest(text)
}

// links are the paths that a person may look at, relative to the page.
func (s *Server) links(view View) []string {
	links := []string{"livez"}
	if view.serves() {
		links = append(links, "readyz")
	}
	if s.config.Metrics != nil {
		links = append(links, "metrics")
	}
	return append(links, "debug/pprof/")
}

// render answers with a template, compressed if the peer takes that.
func (s *Server) render(w http.ResponseWriter, r *http.Request, name string, data any) {
	var body bytes.Buffer
	if err := s.page.template.ExecuteTemplate(&body, name, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Vary", "Accept-Encoding")
	if body.Len() < minCompressed || !takesGzip(r.Header.Get("Accept-Encoding")) {
		w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
		body.WriteTo(w) // an error is the peer's, which has gone
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	compressed := gzip.NewWriter(w)
	io.Copy(compressed, &body)
	compressed.Close()
}

// takesGzip reports whether an Accept-Encoding header lists gzip, and does not exclude it.
func takesGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		coding, parameter, _ := strings.Cut(part, ";")
		if strings.TrimSpace(coding) == "gzip" {
			return !strings.HasPrefix(strings.ReplaceAll(parameter, " ", ""), "q=0") ||
				strings.Trim(strings.ReplaceAll(parameter, " ", ""), "q=0.") != ""
		}
	}
	return false
}
