package admin

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	cmd := exec.Command(program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox",
		"--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", "--disable-extensions",
		"--disable-background-networking", "--disable-component-update",
		"--user-data-dir="+filepath.Join(home, "profile"), "about:blank")
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
