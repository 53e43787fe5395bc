package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// table prints rows in aligned columns. The first row is the heading.
type table struct {
	rows  [][]string
	right map[int]bool // columns aligned to the right
	// paint, if not nil, returns the colour of a cell as a terminal's parameter,
	// or nothing.
	paint func(cell string) string
	whole bool // cells are as wide as they are

	widths []int // of the columns, as they were printed last
}

// maxCell is the widest that a cell may be that is not whole, in columns of the terminal.
const maxCell = 60

func (t *table) add(cells ...string) {
	if !t.whole {
		for i, cell := range cells {
			cells[i] = runewidth.Truncate(cell, maxCell, "…")
		}
	}
	t.rows = append(t.rows, cells)
}

// print prints the rows, in the columns of those that were printed before.
func (t *table) print(w io.Writer) error {
	widths := t.widths
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], runewidth.StringWidth(cell))
		}
	}
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-runewidth.StringWidth(cell))
			if t.paint != nil && t.paint(cell) != "" {
				cell = "\x1b[" + t.paint(cell) + "m" + cell + "\x1b[0m"
			}
			if t.right[i] {
				line.WriteString(pad + cell + "  ")
			} else {
				line.WriteString(cell + pad + "  ")
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	t.widths = widths
	return nil
}

// printable returns text fit for a terminal: what does not print is escaped, so
// that no id or treatment can move the cursor.
func printable(text string) string {
	for _, r := range text {
		if !unicode.IsPrint(r) {
			quoted := strconv.Quote(text)
			return quoted[1 : len(quoted)-1]
		}
	}
	return text
}
