package snapshot

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const maxSize = 64 << 20 // bytes; 100,000 instances take 3 MB

// writers is part of the errors about a file that somebody else may have written.
const writers = "only its owner may write, or a group"

// ErrNotOurs is of a file that holds the list of another registry.
var ErrNotOurs = errors.New("the list of another registry")

// Check returns why file can never be a snapshot file, see sd.CheckSnapshot.
func Check(file string) error {
	real, err := followLink(file)
	if err != nil {
		return fmt.Errorf("sd: snapshot %w", err)
	}
	switch info, err := os.Stat(real); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("sd: snapshot %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("sd: snapshot %s: mode %v: want a regular file, or none", file,
			info.Mode())
	}
	f, err := createUnnamed(real)
	if errors.Is(err, errors.ErrUnsupported) {
		f, err = createNamed(real)
	}
	if err == nil {
		if err := f.discard(); err != nil {
			return err
		}
		if isKept(real, os.Geteuid()) {
			err = errKept
		}
	}
	if (isLasting(err) || err == errKept) && !canBeRewritten(real) {
		return fmt.Errorf("sd: snapshot %s: want a directory that may be written: %w", file, err)
	}
	return nil
}

// errKept is of a file that is not replaced, though its directory may be written.
var errKept = errors.New("the file is another user's, and the directory is sticky")

// isKept reports whether user may not replace a file because of the sticky bit of its directory.
func isKept(file string, user int) bool {
	info, err1 := os.Lstat(file)
	dir, err2 := os.Stat(filepath.Dir(file))
	if err1 != nil || err2 != nil || dir.Mode()&fs.ModeSticky == 0 || user == 0 {
		return false
	}
	owner, _, known := ownersOf(info)
	ofDir, _, _ := ownersOf(dir)
	return known && owner != user && ofDir != user
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
		return fmt.Errorf("directory %s: mode %v: want one that others may not write", dir,
			info.Mode())
	}
	return nil
}

// Read reads a snapshot file of the registry ours, or of any if that is nil. It refuses a file that
// another user may have written.
func Read(file string, ours *Origin) (doc Document, err error) {
	real, err := followLink(file)
	if err != nil {
		return doc, err
	}
	f, err := openPlain(real)
	if err != nil {
		return doc, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return doc, err
	}
	if err := checkWriters(real, info); err != nil {
		return doc, err
	}
	err = json.NewDecoder(io.LimitReader(f, maxSize)).Decode(&doc)
	switch {
	case err == io.EOF:
		return doc, fmt.Errorf("%s: empty", file)
	case err != nil:
		return doc, fmt.Errorf("%s: %w", file, err)
	case doc.Version != version:
		return doc, fmt.Errorf("%s: version %d: want %d", file, doc.Version, version)
	case ours != nil && doc.Registry != nil && !ours.is(doc.Registry):
		return doc, fmt.Errorf("%s: %w, %.200q: want that of %q; remove the file, or name another",
			file, ErrNotOurs, doc.Registry, ours)
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
		return fmt.Errorf("%s: mode %v: want a regular file that %s", file, mode, writers)
	}
	user, group, known := ownersOf(info)
	if !known {
		return nil
	}
	own, shared := user == os.Geteuid() || user == 0, mode.Perm()&0o020 != 0
	if !own && !(shared && inGroup(group)) {
		return fmt.Errorf("%s: belongs to user %d: want %d, or a file that a group of this "+
			"process may write", file, user, os.Geteuid())
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

// Write replaces file in one step: a process that is killed meanwhile leaves the old one, and
// nothing beside it. Where the directory does not allow that and the file does, because it is a
// mount point of its own, it is written over. Anything but a regular file is left alone.
func Write(file string, doc Document) error {
	real, err := followLink(file)
	if err != nil {
		return err
	}
	if info, err := os.Lstat(real); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: mode %v: want a regular file, or none", file, info.Mode())
	}
	data, err := encode(doc, maxSize)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	err = replaceFile(real, data)
	if err != nil && (isLasting(err) || isBusy(err)) && canBeRewritten(real) {
		err = rewriteFile(real, data)
	}
	if err != nil && !strings.Contains(err.Error(), file) { // but its directory
		err = fmt.Errorf("%s: %w", file, err)
	}
	return err
}

// encode is the content of the file. What is longer than limit would not be read again.
func encode(doc Document, limit int) ([]byte, error) {
	data, err := json.Marshal(doc)
	if data = append(data, '\n'); len(data) > limit {
		err = fmt.Errorf("%d bytes: want %d at most", len(data), limit)
	}
	return data, err
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
