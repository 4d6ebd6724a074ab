package matrix

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"
)

const sampleEvery = 10 * time.Millisecond

// A sample is who owned a node at one time: a session, or 0 when there was no node.
type sample struct {
	at    time.Time
	owner int64
}

// A sampler looks at nodes every 10 ms, until the test ends. It has one goroutine.
type sampler struct {
	conn  *gozk.Conn
	paths map[string]string // by instance

	mu      sync.Mutex
	samples map[string][]sample
}

// sample watches instances of the fleet.
func (f *fleet) sample(instances ...string) *sampler {
	s := &sampler{conn: f.admin, paths: map[string]string{}, samples: map[string][]sample{}}
	for _, i := range instances {
		s.paths[i] = f.directory + "/" + i
	}
	every(f, sampleEvery, s.look)
	return s
}

// every calls look at intervals, in a goroutine that the end of the test stops and awaits.
func every(t testing.TB, interval time.Duration, look func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				look()
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// look takes one sample of each node. What cannot be read is no sample.
func (s *sampler) look() {
	for instance, path := range s.paths {
		there, stat, err := s.conn.Exists(path)
		if err != nil {
			continue
		}
		owner := int64(0)
		if there {
			owner = stat.EphemeralOwner
		}
		s.mu.Lock()
		s.samples[instance] = append(s.samples[instance], sample{time.Now(), owner})
		s.mu.Unlock()
	}
}

// owner returns the latest sample's.
func (s *sampler) owner(instance string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.samples[instance]
	if len(all) == 0 || all[len(all)-1].owner == 0 {
		return 0, errors.New("not registered")
	}
	return all[len(all)-1].owner, nil
}

// takenOver returns when somebody else than old first owned the node, after from.
func (s *sampler) takenOver(instance string, old int64, from time.Time) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.samples[instance] {
		if p.at.After(from) && p.owner != 0 && p.owner != old {
			return p.at, nil
		}
	}
	return time.Time{}, errors.New("not taken over")
}

// missing counts the samples between two times, and those without the node.
func (s *sampler) missing(instance string, from, to time.Time) (samples, gone int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.samples[instance] {
		if p.at.Before(from) || p.at.After(to) {
			continue
		}
		samples++
		if p.owner == 0 {
			gone++
		}
	}
	return samples, gone
}
