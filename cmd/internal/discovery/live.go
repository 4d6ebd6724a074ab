package discovery

import (
	"context"
	"slices"
	"strings"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/cmd/internal/registry"
	"example.com/daytime/sd"
)

// Live returns who is registered, and the zones and tags that select some of them, both sorted, as
// far as the registries say so before the end of ctx. Nothing is logged. Zones and tags that a
// shell does not take as they stand are left out: bash puts what it is offered on the command line,
// and evaluates that at the next tab.
func Live(ctx context.Context, urls []string, schemes func(label string) sd.Schemes) (
	instances, shared []string) {
	registries, err := registry.Open(urls, schemes)
	if err != nil {
		return nil, nil
	}
	defer registries.Close()
	var parts []*sd.Instancer
	for _, r := range registries {
		part := sd.NewInstancer(r.Backend, kitlog.NewNopLogger(), sd.FollowPolicy())
		defer part.Stop()
		parts = append(parts, part)
	}
	for _, part := range parts {
		part.Await(ctx)
		compiled := part.Policy().Document.Compile(time.Now())
		for _, e := range part.Entries() {
			instances = append(instances, e.Instance)
			if zone := compiled.Effective(e).Zone; isPlain(zone) {
				shared = append(shared, "zone="+zone)
			}
			for key, value := range e.Attributes.Tags {
				if isPlain(value) { // a key always is
					shared = append(shared, key+"="+value)
				}
			}
		}
	}
	slices.Sort(instances)
	slices.Sort(shared)
	return slices.Compact(instances), slices.Compact(shared)
}

// isPlain reports whether text means itself in every shell, and is not empty.
func isPlain(text string) bool {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/+@,%"
	return text != "" && strings.Trim(text, plain) == ""
}

// IsWhole reports whether the list of every registry is known: a file without those of one would
// take them from whoever reads it.
func (d *Discovery) IsWhole() bool {
	return !slices.ContainsFunc(d.Parts,
		func(p *Part) bool { return p.State().Phase == sd.Unknown })
}

// FollowWhole calls changed after each change, once the list of every registry is known.
func (d *Discovery) FollowWhole(changed func()) (stop func()) {
	tell := func() {
		if d.IsWhole() {
			changed()
		}
	}
	stopFollow := d.Follow(func(sd.Change) { tell() })
	if len(d.Parts) == 1 {
		return stopFollow
	}
	stopStates := d.States(func(sd.State) { tell() }) // an empty list is no change of that of all
	return func() {
		stopFollow()
		stopStates()
	}
}
