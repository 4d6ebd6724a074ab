//go:build !linux

package file

import (
	"errors"
	"os"
)

// nonblock is nothing here: who names a pipe waits for its other end.
const nonblock = 0

// lease says that there is none to be had.
func lease(*os.File) (release func(), err error) { return nil, errors.ErrUnsupported }
