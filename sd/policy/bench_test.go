package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/policy/impact"
)

// largePolicy is 2,000 lines of all kinds, with networks of every length.
func largePolicy() string {
	var b strings.Builder
	b.WriteString(policy.Header + "\n")
	for i := range 1999 {
		n := i / 8
		switch i % 8 {
		case 0:
			fmt.Fprintf(&b, "drain 10.%d.%d.7:8897\n", n>>8&1, n&255)
		case 1:
			fmt.Fprintf(&b, "weight 10.%d.%d.9 %d\n", n>>8&1, n&255, n)
		case 2:
			bits := 8 + n%24
			fmt.Fprintf(&b, "weight %d.0.0.0/%d 50\n", n%4*2+8, bits)
		case 3:
			fmt.Fprintf(&b, "zone z%d 10.%d.%d.0/25\n", n%9, n>>8&1, n&255)
		case 4:
			fmt.Fprintf(&b, "drain 2001:db8:%x::/%d\n", n, 48+n%16)
		case 5:
			fmt.Fprintf(&b, "weight version=%d 70\n", n)
		case 6:
			fmt.Fprintf(&b, "drain zone=y%d\n", n)
		case 7:
			fmt.Fprintf(&b, "share build=%d 0.1%%\n", n)
		}
	}
	return b.String()
}

// largeFleet is n instances with a zone and two tags.
func largeFleet(n int) []policy.Entry {
	fleet := make([]policy.Entry, n)
	for i := range fleet {
		fleet[i].Instance = fmt.Sprintf("10.%d.%d.%d:8897", i>>16, i>>8&255, i&255)
		fleet[i].Attributes = policy.Attributes{Weight: new(50), Zone: fmt.Sprintf("z%d", i%5),
			Tags: map[string]string{"version": fmt.Sprint(i % 7), "build": fmt.Sprint(i % 300)}}
	}
	return fleet
}

// An evaluation of everything, as at the start and after a change of the policy.
func BenchmarkFleet(b *testing.B) {
	p, fleet := parse(b, largePolicy()).Compile(now), largeFleet(100_000)
	b.ReportAllocs()
	for b.Loop() {
		drained := 0
		for _, e := range fleet {
			if p.Effective(e).Drained {
				drained++
			}
		}
		if drained == 0 {
			b.Fatal("want drained instances")
		}
	}
}

// An evaluation of one instance, as at a change of the membership.
func BenchmarkInstance(b *testing.B) {
	p, fleet := parse(b, largePolicy()).Compile(now), largeFleet(1000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		p.Effective(fleet[i%len(fleet)])
		i++
	}
}

func BenchmarkParse(b *testing.B) {
	text := largePolicy()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		parse(b, text)
	}
}

func BenchmarkCompile(b *testing.B) {
	d := parse(b, largePolicy())
	b.ReportAllocs()
	for b.Loop() {
		d.Compile(now)
	}
}

// What a command needs to tell who is affected.
func BenchmarkTraffic(b *testing.B) {
	p, fleet := parse(b, largePolicy()).Compile(now), largeFleet(100_000)
	for b.Loop() {
		impact.Traffic(p, p.EffectiveAll(fleet))
	}
}

func BenchmarkCheck(b *testing.B) {
	d, fleet := parse(b, largePolicy()), largeFleet(100_000)
	for b.Loop() {
		d.Check(fleet, now)
	}
}
