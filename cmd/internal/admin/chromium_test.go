package admin

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/daytime/transport/transporttest"
)

// A browser is a Chromium, spoken to by the DevTools protocol over two pipes: JSON, each message
// ended by a zero byte (https://chromedevtools.github.io/devtools-protocol/).
type browser struct {
	t       testing.TB
	to      *os.File
	mu      sync.Mutex
	next    int
	answers map[int]chan message
	events  func(session string, m message)
	ended   chan struct{}
}

type message struct {
	ID      int             `json:"id"`
	Session string          `json:"sessionId"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
	Result  json.RawMessage `json:"result"`
	Error   *struct{ Message string }
}

// chromium starts a browser for the length of the test.
func chromium(t testing.TB) *browser {
	t.Helper()
	program := transporttest.Program(t, "chromium", "chromium")
	theirs, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	cmd := exec.Command(program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
		"--no-first-run", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-extensions",
		"--disable-component-update", "--user-data-dir="+filepath.Join(home, "profile"), "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+home)
	cmd.ExtraFiles = []*os.File{theirs, ours} // descriptors 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	ours.Close()
	b := &browser{t: t, to: to, answers: map[int]chan message{}, ended: make(chan struct{})}
	go b.read(from)
	t.Cleanup(func() {
		b.call("", "Browser.close", nil, nil)
		to.Close()
		<-b.ended
		from.Close()
		cmd.Wait()
	})
	return b
}

// read takes what the browser says, until it ends.
func (b *browser) read(from *os.File) {
	defer close(b.ended)
	r := bufio.NewReader(from)
	for {
		line, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if err := json.Unmarshal(line[:len(line)-1], &m); err != nil {
			b.t.Errorf("chromium says %.200q: %v", line, err)
			return
		}
		b.mu.Lock()
		answer, events := b.answers[m.ID], b.events
		delete(b.answers, m.ID)
		b.mu.Unlock()
		switch {
		case m.ID != 0 && answer != nil:
			answer <- m
		case m.ID == 0 && events != nil:
			events(m.Session, m)
		}
	}
}

// call has the browser do something, and reads its answer into result, unless that is nil.
func (b *browser) call(session, method string, params, result any) error {
	if params == nil {
		params = struct{}{}
	}
	b.mu.Lock()
	b.next++
	id, answer := b.next, make(chan message, 1)
	b.answers[id] = answer
	b.mu.Unlock()
	request := map[string]any{"id": id, "method": method, "params": params}
	if session != "" {
		request["sessionId"] = session
	}
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		return err
	}
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	select {
	case m := <-answer:
		if m.Error != nil {
			return fmt.Errorf("%s: %s", method, m.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-b.ended:
		return errors.New("chromium has ended")
	case <-timer.C:
		return fmt.Errorf("%s: no answer", method)
	}
}

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
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if p.eval(expression) == true {
			return
		}
	}
	p.t.Errorf("want %s before long", expression)
}

// wantTables wants a screen reader to be told of every cell of every table, whatever the style makes
// of them.
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
	for role, selector := range map[string]string{"table": "table", "caption": "caption", "row": "tr",
		"columnheader": "thead th", "rowheader": "tbody th"} {
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
