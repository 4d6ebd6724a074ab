// Package discovery gives a command the list of servers: that of one registry, or the union of
// several, each with a file that keeps its list for a start without it, and with a log that tells
// an operator what is news.
//
//	d, err := discovery.Open(discovery.Options{URLs: urls, Schemes: schemes, Stdio: stdio})
//	defer d.Close()
//	err = d.Settle(ctx, 2*time.Second)
//	rows := d.Rows()
package discovery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"example.com/daytime/cmd/internal/listing"
	"example.com/daytime/cmd/internal/registry"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/statelog"
	"example.com/daytime/cmd/internal/telemetry"
	"example.com/daytime/sd"
)

// startupGrace is how long the registry has before a run begins with the list of a file. Package zk
// takes 1 s to say that there is no session.
const startupGrace = 1500 * time.Millisecond

// A Discovery gives a command the list of servers: that of the only registry, or the union of
// several.
type Discovery struct {
	*sd.Instancer
	Parts  []*Part
	Logger kitlog.Logger // of its messages for the operator: see package statelog
	late   *time.Timer   // tells which of several have not answered; nil: the caller does
}

// Options say what is opened, and how.
type Options struct {
	URLs      []string
	Snapshots []string                      // one for each, or none
	Schemes   func(label string) sd.Schemes // that are known, for a registry of that label
	Exporter  *telemetry.Exporter           // nil keeps nothing
	Timeout   time.Duration                 // after which registries without a list are told
	Stdio     *shell.Stdio

	// Two kinds of messages can be left to the caller: the state, until Begin, and the names that
	// were left out, with the registries that do not answer.
	Muted, NamesTold bool
}

// Open opens the registries, and waits for nothing. Its errors are those of a wrong command.
func Open(o Options) (*Discovery, error) {
	registries, err := registry.Open(o.URLs, o.Schemes)
	if err != nil {
		return nil, err
	}
	files, err := snapshots(o.Snapshots, registries)
	if err != nil {
		registries.Close()
		return nil, shell.UsageError("snapshot", err)
	}
	if len(registries) > 1 {
		o.Stdio.NameRegistries()
	}
	d := &Discovery{}
	var parts []sd.Part
	for i, r := range registries {
		p := newPart(r, files[i], o)
		d.Parts = append(d.Parts, p)
		parts = append(parts, sd.Part{Name: r.URL, Instancer: p.Instancer})
	}
	d.Instancer, d.Logger = d.Parts[0].Instancer, d.Parts[0].Logger
	if len(parts) > 1 {
		d.Instancer = sd.Join(parts, kitlog.NewNopLogger(), o.Exporter.Instancer(""))
		d.Logger = kitlog.With(statelog.New(o.Stdio, !o.NamesTold), "sd", strings.Join(o.URLs, " "))
		if !o.NamesTold {
			d.late = time.AfterFunc(o.Timeout, d.tellSilent)
		}
	}
	return d, nil
}

// snapshots returns the file of each registry, none where they are not asked for.
func snapshots(files []string, registries registry.Registries) ([]string, error) {
	if len(files) == 1 && len(registries) > 1 { // of the environment
		files = strings.Fields(files[0])
	}
	switch {
	case len(files) == 0:
		return make([]string, len(registries)), nil
	case len(files) != len(registries):
		return nil, fmt.Errorf("%q: %s; want %d, one for each --sd, in the same order",
			strings.Join(files, " "), shell.Count(len(files), "file"), len(registries))
	}
	for i, file := range files {
		if err := checkSnapshot(file, registries[i].Target); err != nil {
			return nil, err
		}
		for _, before := range files[:i] {
			if file != "" && before != "" && isSameFile(file, before) {
				return nil, fmt.Errorf("%q: want another file for each --sd", file)
			}
		}
	}
	return files, nil
}

// isSameFile reports whether two names are of one file, as far as that can be told before there is
// one.
func isSameFile(a, b string) bool {
	pathA, err1 := filepath.Abs(a)
	pathB, err2 := filepath.Abs(b)
	if err1 == nil && err2 == nil && pathA == pathB {
		return true
	}
	infoA, err1 := os.Stat(a)
	infoB, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(infoA, infoB)
}

// checkSnapshot refuses a file that can never be kept, and one for a list that is fixed.
func checkSnapshot(file string, target sd.Target) error {
	switch {
	case file == "":
		return nil
	case target.Scheme == "fixed":
		return fmt.Errorf("%q: a fixed list needs none", file)
	}
	err := sd.CheckSnapshot(file)
	if err == nil {
		return nil
	}
	return errors.New(strings.TrimPrefix(err.Error(), "sd: snapshot ")) // as the flag's name says
}

// Close writes the snapshots, among other things. Each registry is ended beside the others.
func (d *Discovery) Close() {
	if d.late != nil {
		d.late.Stop()
	}
	d.Stop()
	var closing sync.WaitGroup
	for _, p := range d.Parts {
		closing.Go(func() {
			p.Stop()
			p.Backend.Close()
		})
	}
	closing.Wait()
}

// Begin waits startupGrace for the registries that have a snapshot, if there is any, and tells with
// which list of each the run begins.
func (d *Discovery) Begin(ctx context.Context) {
	if !slices.ContainsFunc(d.Parts, func(p *Part) bool { return p.snapshot != "" }) {
		return // nothing was muted
	}
	ctx, cancel := context.WithTimeout(ctx, startupGrace)
	defer cancel()
	for _, p := range d.Parts {
		if p.snapshot != "" {
			p.Await(ctx) // whose error is in the state as well
		}
	}
	for _, p := range d.Parts {
		p.begin()
	}
}

// tellSilent tells which registries have no list, and no error either that was told.
func (d *Discovery) tellSilent() {
	for _, p := range d.Parts {
		s := p.State()
		if s.Phase == sd.Unknown && (s.Err == nil || errors.Is(s.Err, sd.ErrNoDirectory)) {
			level.Warn(p.Logger).Log("msg", statelog.Why(s))
		}
	}
}

// TellsSilent reports whether the discovery itself tells which registries do not answer.
func (d *Discovery) TellsSilent() bool { return d.late != nil }

// HasWarned reports whether it was told of a registry that it is not live, and is not over.
func (d *Discovery) HasWarned() bool {
	for _, p := range d.Parts {
		if p.states.HasWarned() {
			return true
		}
	}
	return false
}

// Settle returns when every registry has answered, after timeout, or at the end of ctx, by which the
// work was interrupted. Any other error is that of a list of which nothing is known.
func (d *Discovery) Settle(ctx context.Context, timeout time.Duration) error {
	work := ctx
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	known := false
	for _, p := range d.Parts {
		p.Await(ctx) // whose error is in the state as well
		known = known || p.State().Phase != sd.Unknown
	}
	d.Await(ctx) // a union takes in a moment later what its parts have told
	switch {
	case work.Err() != nil:
		return shell.ErrInterrupted
	case !known:
		return d.Unconfirmed()
	}
	return nil
}

// Unconfirmed is the error of the registries that do not confirm their list, or nil.
func (d *Discovery) Unconfirmed() error {
	var all []error
	for _, p := range d.Parts {
		all = append(all, p.Unconfirmed())
	}
	return shell.InOneLine(all...)
}

// maxStrangers is how many names a line shows that are no instances.
const maxStrangers = 3

// LeftOut says how many names are no instances, and shows the first of them. Anybody may have
// written them.
func (d *Discovery) LeftOut() string {
	n, names := d.Rejected(), d.Strangers()
	shown := make([]string, min(len(names), maxStrangers))
	for i := range shown {
		shown[i] = strconv.Quote(names[i]) // of 100 bytes at most
	}
	text := fmt.Sprintf("left out %s that cannot be dialled: %s", shell.Count(n, "name"),
		strings.Join(shown, ", "))
	if more := n - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// Rows is the whole set, sorted, as the policies treat it now.
func (d *Discovery) Rows() []listing.Row {
	if len(d.Parts) == 1 {
		return listing.Rows(d.Policy().Document, d.Entries(), time.Now())
	}
	var sources []listing.Source
	for _, p := range d.Parts {
		sources = append(sources, listing.Source{Registry: p.Label, Document: p.Policy().Document,
			Entries: p.Entries()})
	}
	return listing.Merged(sources, time.Now())
}
