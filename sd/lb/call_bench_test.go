package lb

import (
	"context"
	kitlog "github.com/go-kit/log"
	"testing"
)

// BenchmarkCall is a call through Retry whose endpoint answers at once.
func BenchmarkCall(b *testing.B) {
	r := new(registry)
	p := NewPool(r, nop, kitlog.NewNopLogger())
	r.reset(names(10)...)
	await(b, func() bool { return p.snapshot.Load().Len() == 10 })
	call := Retry(p, NewRandom())
	b.ReportAllocs()
	for b.Loop() {
		call(context.Background(), nil)
	}
}
