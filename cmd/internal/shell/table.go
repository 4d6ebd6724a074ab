package shell

import (
	"strings"
	"unicode/utf8"
)

// A Column is one of a Table. The first one and those that are Left are aligned to the left, the
// others to the right.
type Column struct {
	Left  bool
	Head  string
	Short string // stands instead of Head where there is little space; empty is Head
	Spare int    // 0 is never left out; of the others, the greatest is left out first
	Cells []string
}

const (
	gap     = 2   // between two columns
	maxCell = 200 // characters of a cell: who wrote a long one pads every other line with it
)

// Table returns columns as lines of at most width columns, which 0 does not limit: where they are
// too wide it shortens the heads, then leaves columns out. A long cell is cut.
func Table(columns []Column, width int) string {
	columns = append([]Column{}, columns...)
	for i, c := range columns {
		columns[i].Cells = make([]string, len(c.Cells))
		for row, cell := range c.Cells {
			columns[i].Cells[row] = clip(cell)
		}
	}
	if width > 0 && total(columns) > width {
		for i := range columns {
			if columns[i].Short != "" {
				columns[i].Head = columns[i].Short
			}
		}
	}
	for width > 0 && total(columns) > width {
		worst := 0
		for i, c := range columns {
			if c.Spare > columns[worst].Spare {
				worst = i
			}
		}
		if columns[worst].Spare == 0 {
			break
		}
		columns = append(columns[:worst], columns[worst+1:]...)
	}
	return format(columns)
}

// clip is the beginning of a long cell.
func clip(cell string) string {
	if utf8.RuneCountInString(cell) <= maxCell {
		return cell
	}
	return string([]rune(cell)[:maxCell]) + "…"
}

func total(columns []Column) int {
	sum := gap * (len(columns) - 1)
	for _, c := range columns {
		sum += c.width()
	}
	return sum
}

func (c Column) width() int {
	n := utf8.RuneCountInString(c.Head)
	for _, cell := range c.Cells {
		n = max(n, utf8.RuneCountInString(cell))
	}
	return n
}

func format(columns []Column) string {
	var b strings.Builder
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = c.width()
	}
	line := func(cell func(Column) string) {
		var line strings.Builder
		for i, c := range columns {
			text := cell(c)
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
			if i > 0 {
				line.WriteString(strings.Repeat(" ", gap))
			}
			if i == 0 || c.Left {
				line.WriteString(text + pad)
			} else {
				line.WriteString(pad + text)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	line(func(c Column) string { return c.Head })
	for row := range columns[0].Cells {
		line(func(c Column) string { return c.Cells[row] })
	}
	return b.String()
}
