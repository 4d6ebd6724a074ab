package signal_test

import (
	"fmt"
	"sync"
	"testing"

	"example.com/daytime/sd/internal/signal"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// However often it is set, it is received once.
func Example() {
	wake := signal.New()
	for range 3 {
		wake.Set()
	}
	<-wake
	select {
	case <-wake:
		fmt.Println("set")
	default:
		fmt.Println("not set")
	}
	// Output: not set
}

// What was done before Set is seen after the receive, however many goroutines set it at once.
func TestNothingIsMissed(t *testing.T) {
	const setters, each = 8, 1000
	wake := signal.New()
	var mu sync.Mutex
	done, want := 0, setters*each
	for range setters {
		go func() {
			for range each {
				mu.Lock()
				done++
				mu.Unlock()
				wake.Set()
			}
		}()
	}
	for have := 0; have < want; {
		<-wake
		mu.Lock()
		have = done
		mu.Unlock()
	}
}

func BenchmarkSet(b *testing.B) {
	wake := signal.New()
	b.ReportAllocs()
	for b.Loop() {
		wake.Set()
	}
}
