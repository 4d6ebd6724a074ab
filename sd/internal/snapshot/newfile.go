package snapshot

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// leftoverAge is the age from which on an unfinished file is one of a process that was killed; so is
// one from as far in the future, before the clock went back.
const leftoverAge = time.Minute

// A newFile is to take the place of another one. Until then it has no name, where the system allows
// that, or else that of the other one with ".tmp" after it: what a kill leaves behind is one file
// at most, and the next newFile removes it.
type newFile struct {
	*os.File
	name string // "" while there is none
}

// createNamed makes a newFile beside file, readable for this user only.
func createNamed(file string) (*newFile, error) {
	name := file + ".tmp"
	if info, err := os.Lstat(name); err == nil && time.Since(info.ModTime()).Abs() > leftoverAge {
		os.Remove(name)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &newFile{f, name}, nil
}

// discard removes the file.
func (f *newFile) discard() error {
	err := f.Close()
	if f.name != "" {
		err = errors.Join(err, os.Remove(f.name))
	}
	return err
}

// replace puts the file in the place of another one, or removes it.
func (f *newFile) replace(file string) error {
	err := f.nameIt(file + ".tmp")
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.name, file)
	}
	if err != nil && f.name != "" {
		os.Remove(f.name)
	}
	return err
}

// nameIt gives the file a name, if it has none. A leftover of that name is removed.
func (f *newFile) nameIt(name string) error {
	if f.name != "" {
		return nil
	}
	err := link(f.File, name)
	if errors.Is(err, fs.ErrExist) {
		os.Remove(name)
		err = link(f.File, name)
	}
	if err == nil {
		f.name = name
	}
	return err
}
