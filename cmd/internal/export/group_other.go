//go:build !unix

package export

import "os/exec"

// endGroup leaves it at the shell.
func endGroup(*exec.Cmd) {}
