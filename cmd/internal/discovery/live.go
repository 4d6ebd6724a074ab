package discovery

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/cmd/internal/registry"
	"example.com/daytime/cmd/internal/shell"
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

// Lacking is why the list is not to be handed on, or nil: that of a registry is not known, or its
// policy has not been readable so far. A file without those of one registry would take them from
// whoever reads it, and one without a policy would give back who is drained.
func (d *Discovery) Lacking() error {
	var all []error
	for _, p := range d.Parts {
		all = append(all, p.lacking())
	}
	return shell.InOneLine(all...)
}

// FollowWhole calls changed after each change, once nothing is lacking.
func (d *Discovery) FollowWhole(changed func()) (stop func()) {
	var whole atomic.Bool
	tell := func() {
		if d.Lacking() == nil {
			whole.Store(true)
			changed()
		}
	}
	stopFollow := d.Follow(func(sd.Change) { tell() })
	stopStates := d.States(func(sd.State) {
		if !whole.Load() { // an empty list, or a policy that drains nobody, is no change
			tell()
		}
	})
	return func() {
		stopFollow()
		stopStates()
	}
}
