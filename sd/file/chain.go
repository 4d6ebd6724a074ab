package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxLinks is how many symbolic links a path may lead through, as in Linux (path_resolution(7)).
const maxLinks = 40

// A chain is what a path leads through: every name whose change may make it another file.
type chain struct {
	directories map[string]struct{} // to watch
	names       map[string]struct{} // whose events matter: links, the file, what is missing
}

// follow walks path as the kernel does, component by component. Watched is the directory of each
// symbolic link, that of the file, and, where a component is missing, the one in which it will
// appear. Of a ConfigMap's file, which is a link to ..data/file, where ..data is a link to ..time,
// these are the volume and ..time.
func follow(path string) chain {
	c := chain{directories: map[string]struct{}{}, names: map[string]struct{}{}}
	at := string(filepath.Separator)
	rest := components(path)
	for links := 0; len(rest) > 0; {
		name := filepath.Join(at, rest[0])
		rest = rest[1:]
		info, err := os.Lstat(name)
		isLink := err == nil && info.Mode()&os.ModeSymlink != 0
		if err != nil || isLink || len(rest) == 0 {
			c.directories[at] = struct{}{}
			c.names[at], c.names[name] = struct{}{}, struct{}{}
		}
		if err != nil {
			return c
		}
		if !isLink {
			at = name
			continue
		}
		target, err := os.Readlink(name)
		if links++; err != nil || links > maxLinks {
			return c
		}
		if filepath.IsAbs(target) {
			at = string(filepath.Separator)
		}
		rest = append(components(target), rest...)
	}
	return c
}

// components splits a path. Two dots stay: behind a link they lead elsewhere than they look.
func components(path string) []string {
	return strings.FieldsFunc(filepath.ToSlash(path), func(r rune) bool { return r == '/' })
}

// arm watches what the path leads through. A change of the path while it is being armed is seen by
// walking again, until what is armed is what is there.
func (r *reader) arm() {
	r.blind = r.watcher == nil
	if r.blind {
		return
	}
	for range maxLinks {
		c := follow(r.path)
		r.names, r.blind = c.names, false
		fresh := false
		for directory := range c.directories {
			// Also one that is watched: another may have come into its place. The same one
			// costs a system call.
			if err := r.watcher.Add(directory); err != nil {
				// It has just gone, or there are no more watches, or it may not be read.
				r.blind = r.blind || !errors.Is(err, fs.ErrNotExist)
				continue
			}
			if _, known := r.watched[directory]; !known {
				r.watched[directory] = struct{}{}
				fresh = true
			}
		}
		r.disarm(c.directories)
		if !fresh {
			return
		}
	}
}

// disarm ends the watch of what the path leads through no more.
func (r *reader) disarm(needed map[string]struct{}) {
	for directory := range r.watched {
		if _, still := needed[directory]; !still {
			_ = r.watcher.Remove(directory) // the watch went with the directory, if not now
			delete(r.watched, directory)
		}
	}
}
