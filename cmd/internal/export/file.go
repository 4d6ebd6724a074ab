package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	commandTimeout = 30 * time.Second
	killTimeout    = time.Second // for what a command that was killed leaves behind
	maxOutput      = 500         // bytes of a command's output, in an error

	// leftoverAge is the age from which on an unfinished file is one of a process that was killed.
	leftoverAge = time.Minute
)

// A File is a text that other programs read.
type File struct {
	Path string
	Then string // a command for sh -c, run after each change; empty for none
}

// CheckFile returns why path cannot be that of a [File]: it is something else than a regular file or
// a link to one, or its directory is not there. A file that does not exist is no error.
func CheckFile(path string) error {
	at, err := find(path)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Dir(at.path)); err != nil {
		return fmt.Errorf("%q: want a directory that exists: %w", path, err)
	}
	return nil
}

// Write replaces the file as a whole if text is another one, and then runs the command: it blocks
// for as long as that runs, 30 s at most, or until ctx is done. A command that fails is an error,
// but the file stays replaced. The command is due until it has succeeded, also after a crash: the
// next Write runs it, of this process or of another, even if the text is the same. What is due is
// noted in a file beside Path, .NAME.due.
//
// Of a link the file that it leads to is replaced. The mode of a file that exists is kept, and its
// owner and group as far as the process may do that; the mode of a new one is 0644.
func (f File) Write(ctx context.Context, text string) (changed bool, err error) {
	at, err := find(f.Path)
	if err == nil {
		changed, err = at.differs(text)
	}
	if err == nil && changed {
		err = at.replace(text, f.Then != "")
	}
	if err != nil {
		return false, fmt.Errorf("export: %w", err)
	}
	if f.Then == "" || !at.isDue() {
		return changed, nil
	}
	if err := f.run(ctx); err != nil {
		return changed, err
	}
	if err := os.Remove(at.due()); err != nil {
		return changed, fmt.Errorf("export: %w", err)
	}
	return changed, nil
}

// A place is where a file is, behind all links.
type place struct {
	path string
	info fs.FileInfo // nil if there is none yet
}

// find returns the place that path leads to.
func find(path string) (place, error) {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(path); err == nil {
			return place{}, fmt.Errorf("%q: leads nowhere: want a regular file, or none", path)
		}
		return place{path: path}, nil
	}
	if err != nil {
		return place{}, err
	}
	info, err := os.Stat(target)
	if err == nil && !info.Mode().IsRegular() { // a pipe would be read without end
		err = fmt.Errorf("%q: mode %v: want a regular file, or none", path, info.Mode())
	}
	return place{target, info}, err
}

// differs reports whether text is another one than what is there.
func (p place) differs(text string) (bool, error) {
	if p.info == nil {
		return true, nil
	}
	before, err := os.ReadFile(p.path)
	return string(before) != text, err
}

// replace writes a file beside the old one and renames that over it. Readers see the old text or
// the new one, also after a crash of the system (rename(2); the new file is synced first). With
// noted the command is due before anybody sees the new text.
func (p place) replace(text string, noted bool) (err error) {
	p.removeLeftovers()
	f, err := os.CreateTemp(filepath.Dir(p.path), p.hidden(".*.tmp"))
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if p.info != nil {
		keepOwner(f, p.info)
		mode = p.info.Mode().Perm()
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil && noted {
		err = p.noteDue()
	}
	if err == nil {
		err = os.Rename(f.Name(), p.path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// hidden is the name of a file beside the file, which it belongs to.
func (p place) hidden(suffix string) string { return "." + filepath.Base(p.path) + suffix }

// removeLeftovers removes what processes that were killed have left. What another one is about to
// put in place is younger.
func (p place) removeLeftovers() {
	entries, _ := os.ReadDir(filepath.Dir(p.path)) // if not, a leftover is no harm
	for _, e := range entries {
		number, found := strings.CutPrefix(e.Name(), p.hidden("."))
		number, unfinished := strings.CutSuffix(number, ".tmp")
		if !found || !unfinished || number == "" || strings.Trim(number, "0123456789") != "" {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()).Abs() > leftoverAge {
			os.Remove(filepath.Join(filepath.Dir(p.path), e.Name()))
		}
	}
}

// due is the name of the file that is there while the command is due.
func (p place) due() string { return filepath.Join(filepath.Dir(p.path), p.hidden(".due")) }

func (p place) isDue() bool {
	_, err := os.Lstat(p.due())
	return err == nil
}

func (p place) noteDue() error {
	f, err := os.OpenFile(p.due(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// run runs the command, if there is one.
func (f File) run(ctx context.Context) error {
	if f.Then == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", f.Then)
	endGroup(cmd)
	cmd.WaitDelay = killTimeout
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) { // it has succeeded, and what it has begun goes on
		return nil
	}
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		said := strings.TrimSpace(output.String())
		if said != "" {
			said = ": " + said[max(len(said)-maxOutput, 0):]
		}
		return fmt.Errorf("export: command %q: %w%s", f.Then, err, said)
	}
	return nil
}
