package matrix

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"example.com/daytime/sd/internal/wait"
)

// A plainClient is what anybody writes who knows ZooKeeper: it lists the names, dials one, and
// reads.
type plainClient struct {
	steering *steering
	quit     chan struct{}
	done     chan struct{}

	mu       sync.Mutex
	answered map[string]int
	failed   []error
}

func startPlainClient(s *steering) *plainClient {
	p := &plainClient{
		steering: s, quit: make(chan struct{}), done: make(chan struct{}), answered: map[string]int{},
	}
	go p.run()
	return p
}

func (p *plainClient) stop() {
	close(p.quit)
	<-p.done
}

func (p *plainClient) run() {
	defer close(p.done)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-p.quit:
			return
		case <-ticker.C:
		}
		names, err := p.steering.children("/steered")
		if err != nil || len(names) == 0 {
			continue // ZooKeeper is down
		}
		name := names[n%len(names)]
		answer, err := say(name, "timestamp")
		p.take(name, answer, err)
	}
}

// take takes down an answer. One that is reset at its end is one; who was killed gives none.
func (p *plainClient) take(name, answer string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.HasSuffix(answer, "\n") {
		p.answered[name]++
	} else if err == nil {
		p.failed = append(p.failed, fmt.Errorf("%s: %w", name, io.ErrUnexpectedEOF))
	}
}

// answers counts those of a server from now on, for a while.
func (p *plainClient) answers(instance string, d time.Duration) int {
	count := func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.answered[instance]
	}
	before := count()
	hold(d)
	return count() - before
}

// wantAnswers wants a server to be called.
func (p *plainClient) wantAnswers(s *steering, instance string) {
	s.Helper()
	wait.For(s, 10*time.Second, func() error {
		if p.answers(instance, 100*time.Millisecond) == 0 {
			return fmt.Errorf("want the plain client answered by %s", instance)
		}
		return nil
	})
}

// wantNoneFailed wants every server that took a call to have answered it.
func (p *plainClient) wantNoneFailed(s *steering) {
	s.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.failed) > 0 {
		s.Errorf("want no call of the plain client cut short, have %d, such as %v",
			len(p.failed), p.failed[0])
	}
}

// wantNone wants a server to be called no more.
func (p *plainClient) wantNone(s *steering, instance string) {
	s.Helper()
	if n := p.answers(instance, time.Second); n > 0 {
		s.Errorf("want the plain client not to call %s, have %d answers", instance, n)
	}
}
