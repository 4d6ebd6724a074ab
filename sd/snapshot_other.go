//go:build !unix

package sd

import (
	"io/fs"
	"os"
)

// openPlain opens file for reading.
func openPlain(file string) (*os.File, error) { return os.Open(file) }

// ownerOf trusts the directory that the file is in: whose file it is cannot be told here.
func ownerOf(fs.FileInfo) (owner int, ours bool) { return 0, true }
