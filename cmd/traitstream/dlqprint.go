package main

import (
	"strconv"
	"strings"

	"github.com/mattn/go-runewidth"

	"traitstream/deadletter"
)

// rowsAtOnce is how many rows of a long table are aligned together.
const rowsAtOnce = 1000

// letterRows prints dead letters, as they come: a table, or a line of JSON each.
type letterRows struct {
	m     *Main
	table table
}

// newLetterRows returns a table whose last column but the message has a name.
func (m *Main) newLetterRows(last string) *letterRows {
	rows := &letterRows{m: m, table: table{right: map[int]bool{5: true}}}
	if m.painter() != nil {
		rows.table.paint = paintLetter
	}
	rows.table.add("LETTER", "TIME", "REASON", "STAGE", "FROM", "SIZE", last, "MESSAGE")
	return rows
}

// add prints a letter, or a report of it as JSON, which holds it.
func (r *letterRows) add(l *deadletter.Letter, report any, last string) error {
	if r.m.format == "json" {
		return r.m.printJSON(report)
	}
	at := "no timestamp"
	if l.Record.Timestamp.UnixMilli() >= 0 {
		at = l.Record.Timestamp.UTC().Format("2006-01-02 15:04:05")
	}
	r.table.add(letterPlace(l), at, printable(l.Why()), printable(l.Stage), tail(printable(l.Source())),
		humanBytes(int64(len(l.Record.Value))), strings.ReplaceAll(last, "_", " "), printable(l.Message))
	if len(r.table.rows) < rowsAtOnce {
		return nil
	}
	return r.flush()
}

// flush prints what is left, unless that is the heading alone.
func (r *letterRows) flush() error {
	if r.m.format == "json" || r.table.widths == nil && len(r.table.rows) == 1 {
		return nil
	}
	t := &r.table
	err := t.print(r.m.Stdout)
	t.rows = nil
	return err
}

// tail cuts a cell that is too wide from the left: a place is told apart by its
// end.
func tail(cell string) string {
	if more := runewidth.StringWidth(cell) - maxCell; more > 0 {
		return runewidth.TruncateLeft(cell, more+1, "…")
	}
	return cell
}

// letterPlace is the place of a letter among the dead letters.
func letterPlace(l *deadletter.Letter) string {
	return strconv.Itoa(int(l.Record.Partition)) + ":" + strconv.FormatInt(l.Record.Offset, 10)
}

// paintLetter returns the colour of a cell: what came back is to be seen at once,
// and what is done with is not.
func paintLetter(cell string) string {
	const red, grey = "31", "90"
	switch cell {
	case letterReturned:
		return red
	case strings.ReplaceAll(letterPutBack, "_", " "), strings.ReplaceAll(string(deadletter.AlreadyPutBack), "_", " "):
		return grey
	}
	return ""
}

// lines returns bytes for people, line by line: text as it is, but for what does
// not print, and in hex what is no text.
func lines(b []byte) []string {
	var out []string
	for line := range strings.Lines(hexUnlessText(b)) {
		out = append(out, printable(strings.TrimRight(line, "\r\n")))
	}
	return out
}

// counted tells of bytes how many they are.
func counted(b []byte) string {
	if b == nil {
		return "null"
	}
	return plural(len(b), "byte", "bytes")
}
