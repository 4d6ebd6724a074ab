package matrix

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// A step is what a soak does at a time: a verb, and numbers that say to which server or member, or
// how much. Times do not count the quiet phases.
type step struct {
	at      time.Duration
	verb    string
	numbers []int
}

func (s step) String() string {
	text := fmt.Sprintf("%.3f %s", s.at.Seconds(), s.verb)
	for _, n := range s.numbers {
		text += " " + strconv.Itoa(n)
	}
	return text
}

// verbs says how many numbers each verb has.
func verbs() map[string]int {
	return map[string]int{
		"kill": 1, "terminate": 1, "start": 1, "stop": 1, "continue": 1, // a server
		"zk-kill": 1, "zk-start": 1, "zk-stop": 1, "zk-continue": 1, // a member
		"zk-kill-all": 0, "zk-start-all": 0, "zk-stop-all": 0, "zk-continue-all": 0, "zk-wipe": 0,
		"drain": 1, "withdraw": 1, "undrain": 1, "weight": 2, "share": 1, // of whom, how much
		"quiet": 0,
	}
}

// subjects says how many there are of what the first number of a verb names: servers, members, or
// percents.
func subjects(verb string) int {
	switch {
	case verb == "share":
		return 101
	case strings.HasPrefix(verb, "zk-"):
		return soakMembers
	default:
		return soakServers
	}
}

// parseJournal reads the steps of a journal.
func parseJournal(r io.Reader) (steps []step, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		s := step{}
		at, err := strconv.ParseFloat(fields[0], 64)
		if s.at = time.Duration(at * float64(time.Second)); err != nil || len(fields) < 2 {
			return nil, fmt.Errorf("line %q: want seconds, a verb, and numbers", lines.Text())
		}
		s.verb = fields[1]
		for _, f := range fields[2:] {
			n, err := strconv.Atoi(f)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("line %q: want a number, have %q", lines.Text(), f)
			}
			s.numbers = append(s.numbers, n)
		}
		if n, known := verbs()[s.verb]; !known || n != len(s.numbers) {
			return nil, fmt.Errorf("line %q: want a verb with its %d numbers", lines.Text(), n)
		}
		if most := subjects(s.verb); len(s.numbers) > 0 && s.numbers[0] >= most {
			return nil, fmt.Errorf("line %q: want a number below %d", lines.Text(), most)
		}
		steps = append(steps, s)
	}
	return steps, lines.Err()
}
