package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// checkSnapshot refuses a --snapshot that could not be kept, or that would replace something else
// than a snapshot: sd writes a new file beside it, and renames that over it.
func (c *config) checkSnapshot() error {
	if c.snapshot == "" {
		return nil
	}
	if strings.HasPrefix(c.sd, "fixed://") {
		return fmt.Errorf("%q: a fixed list needs none", c.snapshot)
	}
	dir := filepath.Dir(c.snapshot)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir():
		return fmt.Errorf("%q: there is no directory %q", c.snapshot, dir)
	case err != nil:
		return fmt.Errorf("%q: %w", c.snapshot, err)
	}
	if err := checkWritable(dir); err != nil {
		return fmt.Errorf("%q: cannot write in directory %q: %w", c.snapshot, dir, err)
	}
	switch info, err := os.Lstat(c.snapshot); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%q: %w", c.snapshot, err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%q: want a regular file, or none yet", c.snapshot)
	case isMountPoint(c.snapshot):
		return fmt.Errorf("%q: is a mount point, which cannot be replaced; "+
			"want a file in a directory that is mounted", c.snapshot)
	}
	return nil
}

// checkWritable returns why a file can never be made in dir. It makes one: root may write in /proc,
// as access(2) has it, and a read-only file system shows in no mode. A shortage may pass, and is no
// reason.
func checkWritable(dir string) error {
	f, err := os.CreateTemp(dir, ".daytimecli.*")
	if err == nil {
		f.Close()
		return os.Remove(f.Name())
	}
	for _, passing := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, passing) {
			return nil
		}
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err // the name of a file that nobody asked for is no help
	}
	return err
}
