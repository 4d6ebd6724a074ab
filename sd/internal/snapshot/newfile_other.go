//go:build !linux

package snapshot

import (
	"errors"
	"os"
)

// createUnnamed is not there on this system.
func createUnnamed(string) (*newFile, error) { return nil, errors.ErrUnsupported }

func link(*os.File, string) error { return errors.ErrUnsupported }
