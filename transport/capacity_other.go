//go:build !unix

package transport

import "math"

// maxFiles is more than any default needs: there is no such limit.
func maxFiles() int { return math.MaxInt32 }
