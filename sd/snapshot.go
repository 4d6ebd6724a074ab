package sd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/daytime/sd/policy"
)

const (
	snapshotVersion = 1
	maxSnapshot     = 64 << 20 // bytes; 100,000 instances take 3 MB
)

// snapshotWriters is part of the errors about a file that somebody else may have written.
const snapshotWriters = "only its owner may write, or a group"

// errNotOurs: a snapshot file holds the list of another registry.
var errNotOurs = errors.New("the list of another registry")

// A document is what a snapshot file holds. A program that does not know a field leaves it out, so
// there may be more of them later.
type document struct {
	Version   int       `json:"version"`
	Written   time.Time `json:"written"` // when the registry last confirmed the instances
	Registry  *origin   `json:"registry,omitempty"`
	Instances []string  `json:"instances"`

	// With FollowPolicy.
	Attributes map[string]attributesDocument `json:"attributes,omitempty"`
	Policy     *policyDocument               `json:"policy,omitempty"`
}

// An attributesDocument is what an instance says of itself.
type attributesDocument struct {
	Weight *int              `json:"weight,omitempty"`
	Zone   string            `json:"zone,omitempty"`
	Tags   map[string]string `json:"tags,omitempty"`
	Since  *time.Time        `json:"since,omitempty"`
}

// A policyDocument is a PolicyText.
type policyDocument struct {
	Document string `json:"document"`
	Version  int64  `json:"version"`
}

func newDocument(confirmed time.Time, of *origin, entries []policy.Entry) document {
	doc := document{Version: snapshotVersion, Written: confirmed.UTC(), Registry: of}
	doc.Attributes = map[string]attributesDocument{}
	for _, e := range entries {
		doc.Instances = append(doc.Instances, e.Instance)
		if a := e.Attributes; !a.Equal(policy.Attributes{}) {
			d := attributesDocument{Weight: a.Weight, Zone: a.Zone, Tags: a.Tags}
			if !a.Since.IsZero() {
				d.Since = &a.Since
			}
			doc.Attributes[e.Instance] = d
		}
	}
	return doc
}

// change is the document as a backend would tell it, with those of its instances.
func (d document) change(instances []string) Change {
	c := Change{Reset: true, Up: instances, Attributes: map[string]policy.Attributes{}}
	for name, a := range d.Attributes {
		attributes := policy.Attributes{Weight: a.Weight, Zone: a.Zone, Tags: a.Tags}
		if a.Since != nil {
			attributes.Since = *a.Since
		}
		c.Attributes[name] = attributes
	}
	if d.Policy != nil {
		c.Policy = &PolicyText{Document: d.Policy.Document, Version: d.Policy.Version}
	}
	return c
}

// An origin says whose list a file holds.
type origin struct {
	Scheme string   `json:"scheme"`
	Path   string   `json:"path"`
	Hosts  []string `json:"hosts"` // as in a target
}

func originOf(t Target) *origin {
	r := &origin{Scheme: t.Scheme, Path: strings.TrimSuffix(t.Path, "/")}
	for _, h := range t.Hosts {
		r.Hosts = append(r.Hosts, h.String())
	}
	return r
}

func (r *origin) String() string {
	return r.Scheme + "://" + strings.Join(r.Hosts, ",") + r.Path
}

// is reports whether r and other are the same directory of one ensemble: hosts are added and
// removed one by one, so one in common is enough.
func (r *origin) is(other *origin) bool {
	if r.Scheme != other.Scheme || r.Path != other.Path {
		return false
	}
	shared := func(h string) bool {
		return slices.ContainsFunc(other.Hosts, func(o string) bool { return sameHost(h, o) })
	}
	return len(r.Hosts)+len(other.Hosts) == 0 || slices.ContainsFunc(r.Hosts, shared)
}

// sameHost compares hosts of targets. A port that is left out may be any.
func sameHost(a, b string) bool {
	one, err1 := parseHost(a)
	two, err2 := parseHost(b)
	return err1 == nil && err2 == nil && canonicalName(one.Name) == canonicalName(two.Name) &&
		(one.Port == two.Port || one.Port == 0 || two.Port == 0)
}

func canonicalName(host string) string {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// CheckSnapshot returns why file can never be a snapshot file (see [Snapshot]), for a program that
// was told its name: its directory is missing or may not be written, or it is something else than a
// file. What may pass, such as a full disk, and what is in the file is no error. It leaves nothing
// behind.
func CheckSnapshot(file string) error {
	target, err := followLink(file)
	if err != nil {
		return fmt.Errorf("sd: snapshot %w", err)
	}
	switch info, err := os.Stat(target); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("sd: snapshot %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("sd: snapshot %s: mode %v: want a regular file, or none", file, info.Mode())
	}
	f, err := createUnnamed(target)
	if errors.Is(err, errors.ErrUnsupported) {
		f, err = createNamed(target)
	}
	if err == nil {
		return f.discard()
	}
	if isLasting(err) && !canBeRewritten(target) {
		return fmt.Errorf("sd: snapshot %s: want a directory that may be written: %w", file, err)
	}
	return nil
}

// isLasting reports whether an attempt to write that failed with err will always fail.
func isLasting(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || isReadOnly(err)
}

// canBeRewritten reports whether file exists and may be written itself.
func canBeRewritten(file string) bool {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// followLink returns the file that a snapshot file is, which may be a link, as the entries of a
// Kubernetes volume are. In a directory that others may write a link is not followed: it may lead
// to any file of ours.
func followLink(file string) (string, error) {
	info, err := os.Lstat(file)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return file, nil // what is wrong with it shows later
	}
	if err := checkDirectory(file); err != nil {
		return "", fmt.Errorf("%s: is a link: %w", file, err)
	}
	return filepath.EvalSymlinks(file)
}

// checkDirectory refuses a file whose directory others may write.
func checkDirectory(file string) error {
	dir := filepath.Dir(file)
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("directory %s: mode %v: want one that others may not write", dir, info.Mode())
	}
	return nil
}

// readSnapshot reads a snapshot file of the registry that ours says, which nobody else may have
// written.
func readSnapshot(file string, ours *origin) (doc document, err error) {
	target, err := followLink(file)
	if err != nil {
		return doc, err
	}
	f, err := openPlain(target)
	if err != nil {
		return doc, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return doc, err
	}
	if err := checkWriters(target, info); err != nil {
		return doc, err
	}
	err = json.NewDecoder(io.LimitReader(f, maxSnapshot)).Decode(&doc)
	switch {
	case err == io.EOF:
		return doc, fmt.Errorf("%s: empty", file)
	case err != nil:
		return doc, fmt.Errorf("%s: %w", file, err)
	case doc.Version != snapshotVersion:
		return doc, fmt.Errorf("%s: version %d: want %d", file, doc.Version, snapshotVersion)
	case ours != nil && doc.Registry != nil && !ours.is(doc.Registry):
		return doc, fmt.Errorf("%s: %w, %.200q: want that of %q; remove the file, or name another",
			file, errNotOurs, doc.Registry, ours)
	}
	return doc, nil
}

// checkWriters refuses a file that is neither this user's or root's, nor one that a group of this
// process may write. Others may not write it, and where a group or another user may, they may not
// write its directory either: there they could put another file in its place. A volume of
// Kubernetes is like that, and so is one that is used by a user of a new number at each start.
func checkWriters(file string, info fs.FileInfo) error {
	mode := info.Mode()
	if !mode.IsRegular() || mode.Perm()&0o002 != 0 {
		return fmt.Errorf("%s: mode %v: want a regular file that %s", file, mode, snapshotWriters)
	}
	user, group, known := ownersOf(info)
	if !known {
		return nil
	}
	own, shared := user == os.Geteuid() || user == 0, mode.Perm()&0o020 != 0
	if !own && !(shared && inGroup(group)) {
		return fmt.Errorf("%s: belongs to user %d: want %d, or a file that a group of this process "+
			"may write", file, user, os.Geteuid())
	}
	if own && !shared {
		return nil
	}
	if err := checkDirectory(file); err != nil {
		return fmt.Errorf("%s: mode %v: %w", file, mode, err)
	}
	return nil
}

func inGroup(group int) bool {
	all, _ := os.Getgroups()
	return group == os.Getegid() || slices.Contains(all, group)
}

// writeSnapshot replaces file in one step: whoever is killed meanwhile leaves the old one, and
// nothing beside it. Where the directory does not allow that and the file does, because it is a
// mount point of its own, it is written over. What is no file is left alone.
func writeSnapshot(file string, doc document) error {
	target, err := followLink(file)
	if err != nil {
		return err
	}
	if info, err := os.Lstat(target); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: mode %v: want a regular file, or none", file, info.Mode())
	}
	data, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	data = append(data, '\n')
	err = replaceFile(target, data)
	if err != nil && (isLasting(err) || isBusy(err)) && canBeRewritten(target) {
		return rewriteFile(target, data)
	}
	return err
}

// replaceFile puts a new file in the place of another one.
func replaceFile(file string, data []byte) error {
	err := put(createUnnamed, file, data)
	if errors.Is(err, errors.ErrUnsupported) {
		err = put(createNamed, file, data)
	}
	return err
}

func put(create func(beside string) (*newFile, error), file string, data []byte) error {
	f, err := create(file)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync()); err != nil {
		return errors.Join(err, f.discard())
	}
	return f.replace(file)
}

// rewriteFile writes over a file. Killed in the middle it leaves one that is no JSON; killed
// between the write and the truncation one that begins with the new document, which is all that is
// read.
func rewriteFile(file string, data []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = f.Truncate(int64(len(data)))
	}
	return errors.Join(err, f.Sync(), f.Close())
}
