// Package registry opens the registries that a program is told of by --sd, once or several times.
//
//	var urls = registry.URLs{"zk://127.0.0.1:2181/go_servers"} // the default
//	flags.Var(registry.Flag(&urls), "sd", "...")
//	...
//	registries, err := registry.Open(urls, schemes)
//	defer registries.Close()
//
// A directory that is named twice would register every server twice, each time as its own
// predecessor. So two targets of one directory are a wrong command, as far as their text tells: with
// a host in common, in whichever spelling. Two names or addresses of one host, or of one ensemble,
// look like two registries; nobody is asked.
package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd"
)

// URLs are the targets of registries.
type URLs []string

// String has a blank between two.
func (u URLs) String() string { return strings.Join(u, " ") }

// Flag is the value of --sd. One that is given again adds to those before, and so do blanks, for
// the environment: a target has none.
func Flag(value *URLs) pflag.Value {
	var given URLs
	return shell.Value(value, "URL", func(text string) (URLs, error) {
		fields := strings.Fields(text)
		if len(fields) == 0 {
			return nil, errors.New("want the URL of a registry")
		}
		given = append(slices.Clip(given), fields...)
		return given, nil
	})
}

// A Registry is one that is open.
type Registry struct {
	URL     string // as it was given
	Label   string // in metrics; nothing for the only one
	Target  sd.Target
	Backend sd.Backend
}

// Registries are those of one program, in the order in which they were given: at least one.
type Registries []Registry

// Open opens registries with the schemes of each, and waits for none of them. Label is what a
// registry is called in metrics: nothing if it is the only one. The error is of a wrong command.
func Open(urls URLs, schemes func(label string) sd.Schemes) (all Registries, err error) {
	for _, url := range urls {
		r, err := open(url, all.label(url, len(urls)), schemes)
		if err == nil {
			all = append(all, r)
			err = all.checkLast()
		}
		if err != nil {
			all.Close()
			return nil, shell.UsageError("sd", err)
		}
	}
	return all, nil
}

// label is what the next of n registries is called: nothing if it is the only one, its target
// without keys, or with them if these are what tells it from another.
func (all Registries) label(url string, n int) string {
	t, err := sd.ParseTarget(url)
	if n == 1 || err != nil {
		return ""
	}
	t.Keys = nil
	label := t.String()
	if slices.ContainsFunc(all, func(r Registry) bool { return r.Label == label }) {
		return url
	}
	return label
}

func open(url, label string, schemes func(label string) sd.Schemes) (r Registry, err error) {
	r.URL, r.Label = url, label
	if r.Backend, err = schemes(label).Open(url); err != nil {
		return r, err
	}
	if r.Target, err = sd.ParseTarget(url); err != nil {
		return r, err
	}
	if b, ok := r.Backend.(interface{ Target() sd.Target }); ok {
		keys := r.Target.Keys
		r.Target = b.Target() // with what was left out
		r.Target.Keys = keys
	}
	return r, nil
}

// checkLast refuses the last one if it is one of the others.
func (all Registries) checkLast() error {
	last := all[len(all)-1]
	for _, r := range all[:len(all)-1] {
		switch {
		case r.URL == last.URL:
			return fmt.Errorf("%q: is given twice; want each registry once", last.URL)
		case same(r.Target, last.Target):
			return fmt.Errorf("%q: is the same registry as %q; want each once", last.URL, r.URL)
		}
	}
	return nil
}

// Close closes all, side by side: each may have to wait for its registry.
func (all Registries) Close() {
	var closing sync.WaitGroup
	for _, r := range all {
		closing.Go(func() { r.Backend.Close() })
	}
	closing.Wait()
}
