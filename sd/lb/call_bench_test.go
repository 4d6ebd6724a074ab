package lb

import (
	"context"
	"testing"

	"example.com/daytime/sd/internal/wait"
	kitlog "github.com/go-kit/log"
)

// BenchmarkCall is a call through Retry whose endpoint answers at once.
func BenchmarkCall(b *testing.B) {
	r := new(registry)
	p := NewPool(r, nop, kitlog.NewNopLogger())
	r.reset(names(10)...)
	wait.True(b, "the members wanted", func() bool { return p.snapshot.Load().Len() == 10 })
	call := Retry(p, NewRandom())
	b.ReportAllocs()
	for b.Loop() {
		call(context.Background(), nil)
	}
}
