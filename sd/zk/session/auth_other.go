//go:build !unix

package session

import "io/fs"

// isTrusted is false: who owns a file cannot be told here, nor who may read it.
func isTrusted(fs.FileInfo) bool { return false }
