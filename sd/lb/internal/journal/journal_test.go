package journal

import (
	"testing"
	"time"
)

func TestAllows(t *testing.T) {
	var j Journal
	now, told := int64(time.Hour), 0
	for range 25 {
		if ok, untold := j.Allows(now); ok {
			told++
			if untold > 0 {
				t.Errorf("want none untold, have %d", untold)
			}
		}
	}
	if told != 10 {
		t.Errorf("want ten lines at once, have %d", told)
	}
	for _, step := range []struct {
		after  time.Duration
		ok     bool
		untold int
	}{{2999 * time.Millisecond, false, 0}, {time.Millisecond, true, 16}, {time.Second, false, 0},
		{2 * time.Second, true, 1}, {time.Hour, true, 0}} {
		now += int64(step.after)
		if ok, untold := j.Allows(now); ok != step.ok || untold != step.untold {
			t.Errorf("%v later: want %v, %d, have %v, %d", step.after, step.ok, step.untold, ok, untold)
		}
	}
}
