// Package journal bounds log lines.
package journal

import "time"

// AtOnce is the number of lines there may be at once.
const AtOnce = 10

const interval = int64(3 * time.Second) // between further lines

// A Journal bounds the log lines about one thing: ten at once, and one each 3 s after that. Beyond
// that they are counted, and the next line says so. It has no lock and no clock.
type Journal struct {
	spent  int64 // each line costs interval; the time pays it back
	at     int64
	untold int
}

// Allows reports whether there may be a line at now, in nanoseconds, and how many there were not
// since the last one.
func (j *Journal) Allows(now int64) (ok bool, untold int) {
	j.spent = max(j.spent-(now-j.at), 0)
	j.at = now
	if j.spent > (AtOnce-1)*interval {
		j.untold++
		return false, 0
	}
	j.spent += interval
	untold, j.untold = j.untold, 0
	return true, untold
}
