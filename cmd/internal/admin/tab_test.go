package admin

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A tab is one page of a browser, and what it did.
type tab struct {
	*browser
	session string

	mu       sync.Mutex
	requests []string // URLs
	console  []string // messages and violations
}

// open returns a tab that is empty yet, with a window of some size.
func (b *browser) open(width, height int, scheme string, script bool) *tab {
	b.t.Helper()
	var target struct{ TargetID string }
	var session struct{ SessionID string }
	b.must(b.call("", "Target.createTarget", map[string]any{"url": "about:blank"}, &target))
	b.must(b.call("", "Target.attachToTarget",
		map[string]any{"targetId": target.TargetID, "flatten": true}, &session))
	p := &tab{browser: b, session: session.SessionID}
	b.mu.Lock()
	b.events = p.event
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Network", "Log", "Runtime"} {
		p.do(domain+".enable", nil)
	}
	p.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height,
		"deviceScaleFactor": 1, "mobile": width < 600})
	p.do("Emulation.setEmulatedMedia", map[string]any{
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
	p.do("Emulation.setScriptExecutionDisabled", map[string]any{"value": !script})
	return p
}

func (b *browser) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (p *tab) do(method string, params any) {
	p.t.Helper()
	p.must(p.call(p.session, method, params, nil))
}

// event takes down what the tab asks for, and what it complains of.
func (p *tab) event(session string, m message) {
	if session != p.session {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch m.Method {
	case "Network.requestWillBeSent":
		var e struct{ Request struct{ URL string } }
		json.Unmarshal(m.Params, &e)
		p.requests = append(p.requests, e.Request.URL)
	case "Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown":
		p.console = append(p.console, string(m.Params))
	}
}

// load goes to a URL. It returns how long that took, which other programs on the machine slow down,
// and how long the page's thread computed for it.
func (p *tab) load(url string) (took, busy time.Duration) {
	p.t.Helper()
	p.do("Performance.enable", map[string]any{"timeDomain": "threadTicks"})
	begun, before := time.Now(), p.computed()
	p.do("Page.navigate", map[string]any{"url": url})
	p.eventually("document.readyState === 'complete' && location.href.startsWith('http')")
	return time.Since(begun), p.computed() - before
}

// computed is how long the page's thread has computed.
func (p *tab) computed() (d time.Duration) {
	p.t.Helper()
	var answer struct {
		Metrics []struct {
			Name  string
			Value float64
		}
	}
	p.must(p.call(p.session, "Performance.getMetrics", nil, &answer))
	for _, m := range answer.Metrics {
		if m.Name == "TaskDuration" {
			d = time.Duration(m.Value * float64(time.Second))
		}
	}
	return d
}

// eval returns the value of an expression in the page, which may be a promise.
func (p *tab) eval(expression string) (value any) {
	p.t.Helper()
	var answer struct {
		Result           struct{ Value any }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	p.must(p.call(p.session, "Runtime.evaluate", map[string]any{"expression": expression,
		"returnByValue": true, "awaitPromise": true}, &answer))
	if answer.ExceptionDetails != nil {
		p.t.Errorf("%s: %s", expression, answer.ExceptionDetails.Exception.Description)
	}
	return answer.Result.Value
}

// want wants an expression to be true.
func (p *tab) want(expression string) {
	p.t.Helper()
	if have := p.eval(expression); have != true {
		p.t.Errorf("want %s, have %v", expression, have)
	}
}

// eventually returns once an expression is true.
func (p *tab) eventually(expression string) {
	p.t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-ticker.C {
		if p.eval(expression) == true {
			return
		}
	}
	p.t.Errorf("want %s before long", expression)
}

// wantTables wants a screen reader to be told of every cell of every table, whatever the style
// makes of them.
func (p *tab) wantTables() {
	p.t.Helper()
	var tree struct {
		Nodes []struct{ Role struct{ Value string } }
	}
	p.must(p.call(p.session, "Accessibility.getFullAXTree", nil, &tree))
	roles := map[string]int{}
	for _, n := range tree.Nodes {
		roles[n.Role.Value]++
	}
	for role, selector := range map[string]string{
		"table": "table", "caption": "caption", "row": "tr",
		"columnheader": "thead th", "rowheader": "tbody th",
	} {
		want := p.eval("document.querySelectorAll('" + selector + "').length")
		if have := float64(roles[role]); want != have {
			p.t.Errorf("want %v of %s, have %v", want, role, have)
		}
	}
}

// screenshot writes the page to a file, in the directory that SCREENSHOTS names.
func (p *tab) screenshot(name string) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	var shot struct{ Data string }
	p.must(p.call(p.session, "Page.captureScreenshot",
		map[string]any{"format": "png"}, &shot))
	data, err := base64.StdEncoding.DecodeString(shot.Data)
	p.must(err)
	p.must(os.WriteFile(filepath.Join(dir, name+".png"), data, 0o644))
}

// done wants the tab to have asked nobody but base, and to have complained of nothing.
func (p *tab) done(base string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, url := range p.requests {
		if !strings.HasPrefix(url, base) && url != "about:blank" {
			p.t.Errorf("want nothing from elsewhere, have a request for %s", url)
		}
	}
	for _, text := range p.console {
		p.t.Errorf("want a console without a word, have %s", text)
	}
}
