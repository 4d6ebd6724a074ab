package shell

import (
	"fmt"
	"strings"
	"testing"
)

func columns() []Column {
	return []Column{
		{Head: "server", Cells: []string{"[2001:db8::1]:8897", "a"}},
		{Head: "answers", Cells: []string{"1", "22"}},
		{Head: "attempt mean", Short: "mean", Spare: 1, Cells: []string{"1ms", "-"}},
		{Head: "attempt max", Short: "max", Spare: 2, Cells: []string{"2ms", "-"}},
	}
}

// Where there is less space, heads become shorter, then columns are left out.
func ExampleTable() {
	for _, width := range []int{0, 45, 35, 20} {
		fmt.Printf("%d\n%s", width, Table(columns(), width))
	}
	// Output:
	// 0
	// server              answers  attempt mean  attempt max
	// [2001:db8::1]:8897        1           1ms          2ms
	// a                        22             -            -
	// 45
	// server              answers  mean  max
	// [2001:db8::1]:8897        1   1ms  2ms
	// a                        22     -    -
	// 35
	// server              answers  mean
	// [2001:db8::1]:8897        1   1ms
	// a                        22     -
	// 20
	// server              answers
	// [2001:db8::1]:8897        1
	// a                        22
}

// One long cell does not pad the lines of all.
func TestTableCutsLongCells(t *testing.T) {
	long := strings.Repeat("ü", 60_000)
	cells := []string{long, "a"}
	have := Table([]Column{{Head: "tags", Cells: cells}}, 0)
	if want := "tags\n" + long[:2*maxCell] + "…\na\n"; want != have || cells[0] != long {
		t.Errorf("want a cell cut, and only where it is shown, have %.500q of %d", have, len(have))
	}
}

func TestTableFits(t *testing.T) {
	for width := 27; width < 80; width++ {
		for line := range strings.Lines(Table(columns(), width)) {
			if have := len(strings.TrimSuffix(line, "\n")); have > width {
				t.Errorf("want %d columns at most, have %d: %s", width, have, line)
			}
		}
	}
}
