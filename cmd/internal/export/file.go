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
)

// A File is a text that other programs read.
type File struct {
	Path string
	Then string // a command for sh -c, run after each change; empty for none
}

// Write replaces the file as a whole if text is another one, and then runs the command: it blocks
// for as long as that runs, 30 s at most, or until ctx is done. The mode of a file that exists is
// kept; a new one has 0644. A command that fails is an error, but the file stays replaced.
func (f File) Write(ctx context.Context, text string) (changed bool, err error) {
	mode := fs.FileMode(0o644)
	before, err := os.ReadFile(f.Path)
	switch {
	case err == nil && string(before) == text:
		return false, nil
	case err == nil:
		if info, err := os.Stat(f.Path); err == nil {
			mode = info.Mode().Perm()
		}
	case !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("export: %w", err)
	}
	if err := replace(f.Path, text, mode); err != nil {
		return false, fmt.Errorf("export: %w", err)
	}
	return true, f.run(ctx)
}

// replace writes a file beside path and renames that over it. Readers see the old text or the new
// one, also after a crash of the system (rename(2); the new file is synced first).
func replace(path, text string, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
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
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		said := strings.TrimSpace(output.String())
		return fmt.Errorf("export: command %q: %w: %s", f.Then, err, said[max(len(said)-maxOutput,
			0):])
	}
	return nil
}
